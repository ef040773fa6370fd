use super::{message::TensorProto, *};
use crate::initial_weights;
use gotong_scoring::{Cnn, Convolution, Image, Pool, Transformer, Width, Window};
use std::{collections::HashSet, fs};

fn transformer(tied: bool) -> Graph {
    Graph::transformer(&Transformer {
        vocab: 7,
        tokens: 5,
        width: 8,
        heads: 2,
        hidden: 12,
        layers: 2,
        tied,
    })
}

fn cnn() -> Graph {
    let convolution = |padding, pool| Convolution {
        channels: 4,
        window: Window {
            size: 3,
            stride: 1,
            padding,
        },
        pool,
    };
    Graph::cnn(&Cnn {
        image: Image {
            height: 12,
            width: 11,
            channels: 2,
        },
        convolutions: vec![convolution(1, Pool::Max(2)), convolution(0, Pool::Mean(2))],
        hidden: vec![5],
        classes: 3,
    })
}

/// A model of initial weights, read from its file.
fn written(graph: &Graph) -> GraphProto {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    write(&path, graph, &initial_weights(graph, 1)).unwrap();
    let model = ModelProto::decode(&*fs::read(&path).unwrap()).unwrap();
    assert_eq!(model.opset_import[0].version, OPERATORS);
    model.graph.unwrap()
}

fn operators(graph: &GraphProto) -> Vec<&str> {
    let nodes = graph.node.iter();
    nodes.map(|node| node.op_type.as_str()).collect()
}

fn constant<'a>(graph: &'a GraphProto, name: &str) -> &'a TensorProto {
    let mut constants = graph.initializer.iter();
    constants.find(|constant| constant.name == name).unwrap()
}

#[test]
fn a_node_takes_what_was_given_before() {
    for graph in [
        Graph::mlp(&[5, 4, 3]),
        cnn(),
        transformer(true),
        transformer(false),
    ] {
        let written = written(&graph);
        let mut known: HashSet<&str> = HashSet::from([SAMPLE]);
        for constant in &written.initializer {
            assert!(known.insert(&constant.name), "{} twice", constant.name);
            let count: i64 = constant.dims.iter().product();
            let bytes = if constant.data_type == FLOAT { 4 } else { 8 };
            assert_eq!(constant.raw_data.len() as i64, count * bytes);
        }
        for node in &written.node {
            for input in &node.input {
                assert!(known.contains(input.as_str()), "{input} of {}", node.name);
            }
            assert!(known.insert(&node.output[0]), "{} twice", node.name);
        }
        assert!(known.contains(LOGITS));
    }
}

#[test]
fn an_mlp_is_a_gemm_a_layer() {
    let written = written(&Graph::mlp(&[5, 4, 3]));
    let expected = [
        "Cast", "Mul", "Floor", "Mul", "Gemm", "Clip", "Relu", "Gemm", "Clip", "Mul",
    ];
    assert_eq!(operators(&written), expected);
    assert_eq!(constant(&written, "layers.0.weight").dims, [4, 5]);
    assert_eq!(constant(&written, "layers.1.bias").dims, [3]);
    let sides = |value: &ValueInfoProto| {
        let tensor = value.r#type.clone().unwrap().tensor_type.unwrap();
        let sides = tensor.shape.unwrap().dim.into_iter();
        sides.map(|side| side.dim_value).collect::<Vec<_>>()
    };
    assert_eq!(sides(&written.input[0]), [None, Some(5)]);
    assert_eq!(sides(&written.output[0]), [None, Some(3)]);
}

/// The machine multiplies with the view, and adds the masters of biases.
#[test]
fn weights_are_the_int8_view() {
    let graph = Graph::mlp(&[1, 2]);
    let model = model(&graph, &[128, -32_512, 5, -6]).unwrap();
    let written = model.graph.unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let (values, _) = constant(&written, name).raw_data.as_chunks::<4>();
        values.iter().copied().map(f32::from_le_bytes).collect()
    };
    assert_eq!(floats("layers.0.weight"), [1.0 / 256.0, -127.0 / 256.0]);
    assert_eq!(floats("layers.0.bias"), [5.0 / 8192.0, -6.0 / 8192.0]);
}

#[test]
fn a_convolution_is_one_operator_and_an_image_stays_one() {
    let written = written(&cnn());
    let operators = operators(&written);
    let count = |operator: &str| operators.iter().filter(|other| **other == operator).count();
    assert_eq!(count("Conv"), 2);
    assert_eq!((count("MaxPool"), count("AveragePool")), (1, 1));
    assert_eq!(
        (count("Transpose"), count("Reshape")),
        (1, 1),
        "{operators:?}"
    );
    assert_eq!(constant(&written, "layers.0.weight").dims, [4, 2, 3, 3]);
}

#[test]
fn pixels_are_laid_in_a_row_where_something_else_takes_them() {
    let mut graph = cnn();
    graph.ops.insert(1, Op::Relu);
    let written = written(&graph);
    assert!(operators(&written).contains(&"Gather"));
    // What takes them is not a convolution any more, and its weights lie row by row.
    assert_eq!(constant(&written, "layers.0.weight").dims, [4, 18]);
}

#[test]
fn a_tied_head_is_the_view_of_the_embedding() {
    let tied = written(&transformer(true));
    let names: Vec<&str> = tied.initializer.iter().map(|c| c.name.as_str()).collect();
    for name in [
        "wte.weight",
        "wpe.weight",
        "layers.1.mlp.down.bias",
        "head.weight",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    assert_eq!(constant(&tied, "head.weight").dims, [7, 8]);
    let embedding = &constant(&tied, "wte.weight").raw_data;
    assert_ne!(&constant(&tied, "head.weight").raw_data, embedding);
    let untied = written(&transformer(false));
    assert_eq!(constant(&untied, "head.bias").dims, [7]);
    // One constant hides later tokens in both layers.
    let masks = untied.initializer.iter();
    let masks = masks.filter(|constant| constant.name.starts_with("later_of"));
    assert_eq!(masks.count(), 1);
}

/// A requant clamps before it multiplies, too: here to 32767 / 4 steps of 256.
#[test]
fn both_clamps_of_a_requant_count() {
    let mut graph = Graph::mlp(&[2, 3]);
    graph.ops[1] = Op::Requant {
        shift_in: 5,
        multiplier: 64,
        shift_out: 8,
        width: Width::Wide,
    };
    let written = written(&graph);
    let clip = written.node.iter().find(|node| node.op_type == "Clip");
    let most = constant(&written, &clip.unwrap().input[2]);
    let (most, _) = most.raw_data.as_chunks::<4>();
    assert_eq!(f32::from_le_bytes(most[0]), 32_767.0 / 4.0 / 256.0);
}

#[test]
fn what_is_no_model_is_refused() {
    let graph = Graph::mlp(&[2, 3]);
    let error = model(&graph, &[0; 8]).unwrap_err();
    assert!(matches!(error, UntrainableGraph::WrongParameters { .. }));
    let error = model(&Graph::mlp(&[2]), &[]).unwrap_err();
    assert!(matches!(error, UntrainableGraph::Invalid(_)));
}
