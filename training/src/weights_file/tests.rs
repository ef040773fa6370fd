//! What is written is read back, whatever a trainer has made of it.

use super::super::initial_weights;
use super::layout::Tensor;
use super::*;
use gotong_scoring::{Cnn, Convolution, Image, Op, Pool, Transformer, Window};
use half::{bf16, f16};
use safetensors::SafeTensors;
use serde_json::json;
use std::{fs, path::PathBuf};

#[test]
fn what_is_written_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let graph = Graph::mlp(&[5, 4, 3]);
    let master: Vec<i16> = (0..graph.parameters())
        .map(|i| (i as i32 * 1771 - 32_512).clamp(-32_512, 32_512) as i16)
        .collect();
    write(&path, &graph, &master).unwrap();
    assert_eq!(read(&path, &graph).unwrap(), exactly(&master));

    let names = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&names).unwrap();
    assert_eq!(file.tensor("layers.0.weight").unwrap().shape(), [4, 5]);
}

/// As PyTorch has them: `[out, in, lines, columns]` for a convolution, and channel by channel after `flatten`.
#[test]
fn a_convolutional_network_is_written_as_others_have_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let graph = Graph::cnn(&Cnn {
        image: Image {
            height: 2,
            width: 3,
            channels: 2,
        },
        convolutions: vec![Convolution {
            channels: 4,
            window: Window {
                size: 2,
                stride: 1,
                padding: 0,
            },
            pool: Pool::None,
        }],
        hidden: vec![],
        classes: 3,
    });
    let master: Vec<i16> = (0..graph.parameters() as i16).collect();
    write(&path, &graph, &master).unwrap();
    assert_eq!(read(&path, &graph).unwrap(), exactly(&master));
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let masters = |name: &str| -> Vec<f32> {
        let (values, _) = file.tensor(name).unwrap().data().as_chunks::<4>();
        let values = values.iter().copied().map(f32::from_le_bytes);
        values.map(|value| value * 65_536.0).collect()
    };
    assert_eq!(
        file.tensor("layers.0.weight").unwrap().shape(),
        [4, 2, 2, 2]
    );
    // The machine keeps both channels of a pixel together.
    let kernel = masters("layers.0.weight");
    assert_eq!(kernel[..8], [0.0, 2.0, 4.0, 6.0, 1.0, 3.0, 5.0, 7.0]);
    assert_eq!(kernel[8], 8.0);
    // Two pixels of four channels, after 32 weights and 4 biases.
    assert_eq!(file.tensor("layers.1.weight").unwrap().shape(), [3, 8]);
    let second = masters("layers.1.weight");
    let first = second[..8].iter().map(|w| w - 36.0);
    assert_eq!(
        first.collect::<Vec<_>>(),
        [0.0, 4.0, 1.0, 5.0, 2.0, 6.0, 3.0, 7.0]
    );
}

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

#[test]
fn the_names_of_a_transformer_are_golden() {
    let golden = "wte.weight [7, 8] 65536
        wpe.weight [5, 8] 65536
        layers.0.attn.qkv.weight [24, 8] 65536
        layers.0.attn.qkv.bias [24] 8192
        layers.0.attn.proj.weight [8, 8] 65536
        layers.0.attn.proj.bias [8] 8192
        layers.0.mlp.up.weight [12, 8] 65536
        layers.0.mlp.up.bias [12] 8192
        layers.0.mlp.down.weight [8, 12] 65536
        layers.0.mlp.down.bias [8] 2048
        layers.1.attn.qkv.weight [24, 8] 65536
        layers.1.attn.qkv.bias [24] 8192
        layers.1.attn.proj.weight [8, 8] 65536
        layers.1.attn.proj.bias [8] 8192
        layers.1.mlp.up.weight [12, 8] 65536
        layers.1.mlp.up.bias [12] 8192
        layers.1.mlp.down.weight [8, 12] 65536
        layers.1.mlp.down.bias [8] 2048
        head.weight [7, 8] 65536
        head.bias [7] 8192";
    let golden: Vec<&str> = golden.lines().map(str::trim).collect();
    let line = |t: &Tensor| format!("{} {:?} {}", t.name, t.shape, t.steps);
    let untied: Vec<String> = tensors_of(&transformer(false)).iter().map(line).collect();
    assert_eq!(untied, golden);
    let tied: Vec<String> = tensors_of(&transformer(true)).iter().map(line).collect();
    assert_eq!(tied, golden[..18]);
}

#[test]
fn a_transformer_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for tied in [true, false] {
        let graph = transformer(tied);
        let master = initial_weights(&graph, 5);
        write(&path, &graph, &master).unwrap();
        assert_eq!(read(&path, &graph).unwrap(), exactly(&master));
        // Token 3, column 1.
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let value = file.tensor("wte.weight").unwrap().data()[4 * 25..4 * 26].to_vec();
        let value = f32::from_le_bytes(value.try_into().unwrap());
        assert_eq!(value, f32::from(master[25]) / 65_536.0);
    }
    let error = read(&path, &transformer(true)).unwrap_err().to_string();
    assert!(error.contains("no tensor `head."), "{error}");
    write(
        &path,
        &transformer(true),
        &initial_weights(&transformer(true), 5),
    )
    .unwrap();
    let error = read(&path, &transformer(false)).unwrap_err().to_string();
    assert_eq!(error, "the file has no tensor `head.weight`, `head.bias`");
}

#[test]
fn another_graph_of_the_same_ops_has_plain_names() {
    let mut graph = transformer(false);
    graph.ops[1] = Op::RmsNorm {
        width: 8,
        unit_bits: 4,
    };
    let names: Vec<String> = tensors_of(&graph).into_iter().map(|t| t.name).collect();
    assert_eq!(names[2..4], ["layers.0.weight", "layers.0.bias"]);
    assert_eq!(names[19], "layers.8.bias");
}

#[test]
fn other_shapes_types_and_formats_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let graph = Graph::mlp(&[5, 4, 3]);
    write(&path, &graph, &vec![1; graph.parameters()]).unwrap();
    let error = read(&path, &Graph::mlp(&[4, 5, 3])).unwrap_err();
    assert!(matches!(error, WeightsFileError::WrongTensor { .. }));
    let error = write(&path, &graph, &[1]).unwrap_err();
    assert!(matches!(error, WeightsFileError::WrongParameters { .. }));

    save_layer(&path, Dtype::I32, &[0; 16], &[0; 8]);
    let error = read(&path, &layer()).unwrap_err().to_string();
    assert!(error.contains("F64 of shape [2, 2], not I32"), "{error}");
    fs::write(&path, b"not safetensors").unwrap();
    let error = read(&path, &graph).unwrap_err();
    assert!(matches!(error, WeightsFileError::Format(_)));
}

/// What is read if all weights are exactly the machine's.
fn exactly(master: &[i16]) -> Read {
    Read {
        master: master.to_vec(),
        clamped: vec![],
        ignored: vec![],
        renamed: Default::default(),
    }
}

/// One layer of two inputs and two outputs.
fn layer() -> Graph {
    Graph::mlp(&[2, 2])
}

fn save_layer(path: &Path, dtype: Dtype, weight: &[u8], bias: &[u8]) {
    let weight = TensorView::new(dtype, vec![2, 2], weight).unwrap();
    let bias = TensorView::new(dtype, vec![2], bias).unwrap();
    let tensors = [("layers.0.weight", weight), ("layers.0.bias", bias)];
    fs::write(path, safetensors::serialize(tensors, None).unwrap()).unwrap();
}

#[test]
fn floats_of_every_width_are_read() {
    type Encode = fn(f64) -> Vec<u8>;
    let encodings: [(Dtype, Encode); 4] = [
        (Dtype::F16, |x| f16::from_f64(x).to_le_bytes().to_vec()),
        (Dtype::BF16, |x| bf16::from_f64(x).to_le_bytes().to_vec()),
        (Dtype::F32, |x| (x as f32).to_le_bytes().to_vec()),
        (Dtype::F64, |x| x.to_le_bytes().to_vec()),
    ];
    // A brain float of 1.5 and a half of -0.25 in memory.
    assert_eq!(encodings[1].1(1.5), [0xc0, 0x3f]);
    assert_eq!(encodings[0].1(-0.25), [0x00, 0xb4]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for (dtype, encode) in encodings {
        let bytes =
            |values: &[f64]| -> Vec<u8> { values.iter().flat_map(|x| encode(*x)).collect() };
        let weight = bytes(&[0.25, -0.125, 0.0, 0.375]);
        save_layer(&path, dtype, &weight, &bytes(&[1.5, -0.25]));
        let expected = exactly(&[16_384, -8_192, 0, 24_576, 12_288, -2_048]);
        assert_eq!(read(&path, &layer()).unwrap(), expected, "{dtype:?}");
    }
}

#[test]
fn values_out_of_bounds_are_clamped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let bytes =
        |values: &[f64]| -> Vec<u8> { values.iter().flat_map(|x| x.to_le_bytes()).collect() };
    // The second rounds to the bound.
    let weight = bytes(&[0.75, 127.0 / 256.0 + 0.4 / 65_536.0, -0.5, 0.25]);
    save_layer(&path, Dtype::F64, &weight, &bytes(&[1.0, -1e300]));
    let found = read(&path, &layer()).unwrap();
    assert_eq!(
        found.master,
        [32_512, 32_512, -32_512, 16_384, 8_192, -32_512]
    );
    let [weight, bias] = &found.clamped[..] else {
        panic!("{:?}", found.clamped)
    };
    assert_eq!((weight.count, weight.values), (2, 4));
    assert_eq!(
        (weight.bound, weight.excess),
        (127.0 / 256.0, 0.75 - 127.0 / 256.0)
    );
    assert_eq!(
        weight.to_string(),
        "`layers.0.weight`: 2 of 4 values were beyond +-0.4961, by at most 0.253906, and were clamped"
    );
    assert_eq!(
        (bias.name.as_str(), bias.count, bias.bound),
        ("layers.0.bias", 1, 3.96875)
    );

    for (wrong, said) in [
        (f64::NAN, "`layers.0.weight` has NaN at [1, 0]"),
        (f64::NEG_INFINITY, "`layers.0.weight` has -inf at [1, 0]"),
    ] {
        save_layer(
            &path,
            Dtype::F64,
            &bytes(&[0.75, 0.0, wrong, 0.0]),
            &bytes(&[0.0; 2]),
        );
        let error = read(&path, &layer()).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
}

/// Writes the tensors of `from` to `to` under the names that `names` gives each of them, any number.
fn rename(from: &Path, to: &Path, names: impl Fn(&str) -> Vec<String>) {
    let bytes = fs::read(from).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut renamed = Vec::new();
    for (old, view) in file.tensors() {
        renamed.extend(names(&old).into_iter().map(|new| (new, view.clone())));
    }
    fs::write(to, safetensors::serialize(renamed, None).unwrap()).unwrap();
}

/// First weights of `graph`, in one file and in another with the names that `names` gives.
fn renamed(
    graph: &Graph,
    names: impl Fn(&str) -> Vec<String>,
) -> (tempfile::TempDir, PathBuf, Vec<i16>) {
    let folder = tempfile::tempdir().unwrap();
    let [plain, other] =
        ["plain.safetensors", "other.safetensors"].map(|name| folder.path().join(name));
    let master = initial_weights(graph, 5);
    write(&plain, graph, &master).unwrap();
    rename(&plain, &other, names);
    (folder, other, master)
}

#[test]
fn names_that_wrappers_left_are_read() {
    for wrapped in [
        "module.NAME",
        "_orig_mod.module.NAME",
        "model._orig_mod.model.NAME",
    ] {
        for graph in [
            Graph::mlp(&[5, 4, 3]),
            transformer(false),
            transformer(true),
        ] {
            let (_folder, path, master) =
                renamed(&graph, |name| vec![wrapped.replace("NAME", name)]);
            assert_eq!(read(&path, &graph).unwrap(), exactly(&master), "{wrapped}");
        }
    }
    // A layer that was compiled on its own, and some names unchanged.
    let graph = transformer(false);
    let inside = |name: &str| vec![name.replace("layers.1.", "layers.1._orig_mod.")];
    let (_folder, path, master) = renamed(&graph, inside);
    assert_eq!(read(&path, &graph).unwrap(), exactly(&master));
}

#[test]
fn a_tensor_that_is_there_twice_is_refused() {
    let graph = Graph::mlp(&[5, 4, 3]);
    let (_folder, path, _) = renamed(&graph, |name| vec![name.into(), format!("model.{name}")]);
    let error = read(&path, &graph).unwrap_err();
    let WeightsFileError::SameName {
        name,
        first,
        second,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(
        [name, first, second],
        ["layers.0.bias", "layers.0.bias", "model.layers.0.bias"]
    );
}

#[test]
fn all_wrong_names_are_told_at_once() {
    let graph = Graph::mlp(&[5, 4, 3]);
    let (_folder, path, _) = renamed(&graph, |name| vec![name.replace("layers.1", "model.out")]);
    assert_eq!(
        read(&path, &graph).unwrap_err().to_string(),
        "the file has no tensor `layers.1.weight`, `layers.1.bias`, and the task's architecture has no tensor \
         `model.out.bias`, `model.out.weight`"
    );
}

/// The name of layer `i` as `nn.Sequential` has it after activations: twice the number.
fn sequential(name: &str, before: &str) -> String {
    let rest = name.strip_prefix("layers.").unwrap();
    let (number, of_it) = rest.split_once('.').unwrap();
    let number: u32 = number.parse().unwrap();
    format!("{before}{}.{of_it}", 2 * number)
}

#[test]
fn layers_of_a_sequential_are_taken_in_order() {
    // With layers 10 and 12, which come before layer 2 in the alphabet, and a convolution.
    let deep = Graph::mlp(&[5, 4, 4, 4, 4, 4, 4, 3]);
    let folder = tempfile::tempdir().unwrap();
    let plain_file = folder.path().join("plain.safetensors");
    for graph in [Graph::mlp(&[5, 4, 3]), deep] {
        // Under `layers.` numbers mean something other than in the graph, and all of them are counted anew.
        for before in ["", "net.", "module.net.", "fc", "layers."] {
            let (_folder, path, master) = renamed(&graph, |name| vec![sequential(name, before)]);
            let read = read(&path, &graph).unwrap();
            assert_eq!(read.master, master, "{before}");
            let last = format!("layers.{}.bias", read.renamed.len() / 2 - 1);
            let in_file = sequential(&last, before);
            assert_eq!(read.renamed[&in_file], last);
        }
        // A file with the graph's own names is not renumbered.
        write(&plain_file, &graph, &vec![1; graph.parameters()]).unwrap();
        assert!(read(&plain_file, &graph).unwrap().renamed.is_empty());
    }
}

#[test]
fn layers_that_do_not_fit_in_order_are_told_with_their_shapes() {
    let (_folder, path, _) = renamed(&Graph::mlp(&[5, 4, 3]), |name| vec![sequential(name, "")]);
    for graph in [Graph::mlp(&[5, 3, 4]), Graph::mlp(&[5, 4, 3, 3])] {
        let error = read(&path, &graph).unwrap_err();
        assert!(
            matches!(error, WeightsFileError::OtherLayers { .. }),
            "{error}"
        );
    }
    assert_eq!(
        read(&path, &Graph::mlp(&[5, 2])).unwrap_err().to_string(),
        "the file's layers match the task's architecture neither by name nor by order. The file has \
         `0.weight` [4, 5], `0.bias` [4], `2.weight` [3, 4], `2.bias` [3]; the task's architecture has `layers.0.weight` [2, 5], \
         `layers.0.bias` [2]"
    );
    // With two names nothing says which comes first.
    let names = |name: &str| {
        vec![name
            .replace("layers.1", "head.0")
            .replace("layers.0", "body.0")]
    };
    let (_folder, path, _) = renamed(&Graph::mlp(&[5, 4, 3]), names);
    let error = read(&path, &Graph::mlp(&[5, 4, 3])).unwrap_err();
    assert!(
        matches!(error, WeightsFileError::WrongNames { .. }),
        "{error}"
    );
}

#[test]
fn a_head_is_read_under_either_name() {
    let graph = transformer(false);
    let (_folder, path, master) = renamed(&graph, |name| vec![name.replace("head.", "lm_head.")]);
    assert_eq!(read(&path, &graph).unwrap(), exactly(&master));

    let graph = transformer(true);
    for head in ["head.weight", "model.lm_head.weight"] {
        // In place of the embedding, and next to it.
        for beside in [false, true] {
            let names = |name: &str| match name {
                "wte.weight" if beside => vec![name.to_owned(), head.to_owned()],
                "wte.weight" => vec![head.to_owned()],
                _ => vec![name.to_owned()],
            };
            let (_folder, path, master) = renamed(&graph, names);
            assert_eq!(read(&path, &graph).unwrap(), exactly(&master), "{head}");
        }
    }
}

#[test]
fn a_head_that_differs_from_what_it_is_tied_to_is_refused() {
    let graph = transformer(true);
    let (folder, path, _) = renamed(&transformer(false), |name| match name {
        "head.weight" => vec!["lm_head.weight".into()],
        "head.bias" => vec![],
        _ => vec![name.to_owned()],
    });
    let error = read(&path, &graph).unwrap_err();
    assert!(matches!(&error, WeightsFileError::HeadDiffers { head } if head == "lm_head.weight"));
    // A bias of the head has no place at all.
    let plain = folder.path().join("plain.safetensors");
    let error = read(&plain, &graph).unwrap_err().to_string();
    assert_eq!(error, "the task's architecture has no tensor `head.bias`");
}

#[test]
fn buffers_of_attention_are_ignored_and_told() {
    let with_buffers = |name: &str| match name {
        "layers.0.mlp.up.bias" => ["layers.0.mlp.up.bias", "layers.0.attn.bias", "module.tril"]
            .map(String::from)
            .to_vec(),
        _ => vec![name.to_owned()],
    };
    let graph = transformer(false);
    let (_folder, path, master) = renamed(&graph, with_buffers);
    let found = read(&path, &graph).unwrap();
    assert_eq!(found.master, master);
    assert_eq!(found.ignored, ["layers.0.attn.bias", "module.tril"]);

    // A network without attention has none, and a name with a similar ending is a different one.
    for (graph, extra) in [(Graph::mlp(&[5, 4, 3]), "mask"), (graph, "layers.0.unmask")] {
        let last = tensors_of(&graph).pop().unwrap().name;
        let names = |name: &str| match name == last {
            true => vec![last.clone(), extra.to_owned()],
            false => vec![name.to_owned()],
        };
        let (_folder, path, _) = renamed(&graph, names);
        let error = read(&path, &graph).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("the task's architecture has no tensor `{extra}`")
        );
    }
}

#[test]
fn several_files_are_read_by_their_index_or_folder() {
    let graph = transformer(true);
    let (folder, all, master) = renamed(&graph, |name| vec![format!("model.{name}")]);
    let shards = [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ];
    let shard_of = |name: &str| shards[usize::from(name.contains("layers.1"))];
    for shard in shards {
        let own = |name: &str| match shard_of(name) == shard {
            true => vec![name.to_owned()],
            false => vec![],
        };
        rename(&all, &folder.path().join(shard), own);
    }
    fs::remove_file(&all).unwrap();
    let error = read(folder.path(), &graph).unwrap_err();
    assert!(matches!(error, WeightsFileError::NoWeights));

    let index = folder.path().join("model.safetensors.index.json");
    let mut weight_map = serde_json::Map::new();
    for tensor in tensors_of(&graph) {
        let name = format!("model.{}", tensor.name);
        let shard = shard_of(&name);
        weight_map.insert(name, shard.into());
    }
    let save = |weight_map: &serde_json::Map<String, serde_json::Value>| {
        let content = json!({ "metadata": { "total_size": 1 }, "weight_map": weight_map });
        fs::write(&index, content.to_string()).unwrap();
    };
    save(&weight_map);
    for path in [index.as_path(), folder.path()] {
        assert_eq!(read(path, &graph).unwrap(), exactly(&master));
    }

    // A single file takes precedence over an index, as it does elsewhere.
    let mut other = master.clone();
    other[0] ^= 1;
    let whole = folder.path().join("model.safetensors");
    write(&whole, &graph, &other).unwrap();
    assert_eq!(read(folder.path(), &graph).unwrap(), exactly(&other));

    let name = "model.wte.weight";
    for (file, said) in [
        ("elsewhere.safetensors", "elsewhere.safetensors: "),
        (
            shards[1],
            "model-00002-of-00002.safetensors: the file has no tensor `model.wte.weight`",
        ),
        (
            "../model.safetensors",
            "the index names `../model.safetensors`, which is not a plain file name",
        ),
        ("", "the index names ``"),
    ] {
        weight_map.insert(name.into(), file.into());
        save(&weight_map);
        let error = read(&index, &graph).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
    }
    fs::write(&index, "{}").unwrap();
    let error = read(&index, &graph).unwrap_err();
    assert!(matches!(error, WeightsFileError::Index(_)));
}

#[test]
fn a_file_is_replaced_and_never_changed_in_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let reader = folder.path().join("opened-before");
    fs::write(&path, "old").unwrap();
    fs::hard_link(&path, &reader).unwrap();
    let graph = Graph::mlp(&[5, 4, 3]);
    write(&path, &graph, &vec![0; graph.parameters()]).unwrap();
    assert_eq!(fs::read(&reader).unwrap(), b"old");
    assert_ne!(fs::read(&path).unwrap(), b"old");
}
