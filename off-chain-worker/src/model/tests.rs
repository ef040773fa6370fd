use super::*;
use gotong_scoring::{Cnn, Convolution, Image, Pool, Transformer, Window};

fn example(name: &str) -> Graph {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/models");
    read(&Path::new(folder).join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

const SHAPE: Transformer = Transformer {
    vocab: 84,
    tokens: 128,
    width: 128,
    heads: 4,
    hidden: 512,
    layers: 5,
    tied: false,
};

#[test]
fn the_examples_are_models() {
    assert_eq!(example("mlp.toml"), Graph::mlp(&[784, 128, 10]));
    assert_eq!(example("transformer.toml"), Graph::transformer(&SHAPE));
    let bytes = example("transformer.toml").parameters() * 2;
    assert!(
        bytes <= gotong_protocol::bounds::MAX_WEIGHT_BYTES as usize,
        "{bytes}"
    );
    let tied = Transformer {
        vocab: 256,
        tokens: 64,
        width: 64,
        hidden: 256,
        layers: 3,
        tied: true,
        ..SHAPE
    };
    assert_eq!(example("transformer-bpe.toml"), Graph::transformer(&tied));
    for (name, tokens, width, heads) in [
        ("transformer-small.toml", 32, 48, 3),
        ("transformer-medium.toml", 64, 96, 4),
    ] {
        let shape = Transformer {
            tokens,
            width,
            heads,
            hidden: 4 * width,
            layers: 2,
            tied: true,
            ..SHAPE
        };
        assert_eq!(example(name), Graph::transformer(&shape));
    }
    let convolution = |channels, pool| Convolution {
        channels,
        window: Window {
            size: 3,
            stride: 1,
            padding: 1,
        },
        pool,
    };
    let cnn = Cnn {
        image: Image {
            height: 28,
            width: 28,
            channels: 1,
        },
        convolutions: vec![convolution(8, Pool::Max(2)), convolution(16, Pool::Mean(2))],
        hidden: vec![64],
        classes: 10,
    };
    assert_eq!(example("cnn.toml"), Graph::cnn(&cnn));
    assert_eq!(example("graph.toml").vocab(), Some(84));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/models");
    assert_eq!(
        fs::read_dir(folder).unwrap().count(),
        7,
        "an example is not tested"
    );
}

#[test]
fn the_general_form_has_every_op() {
    let ops = r#"
        kind = "graph"
        inputs = 16
        ops = [
            { op = "im2col", image = { height = 4, width = 4, channels = 1 }, window = { size = 2, stride = 1, padding = 0 } },
            { op = "linear", inputs = 4, outputs = 3, bias-shift = 2 },
            { op = "requant", shift-in = 11, multiplier = 128, shift-out = 7, width = "narrow" },
            { op = "squared-relu" },
            { op = "max-pool", image = { height = 3, width = 3, channels = 3 }, window = { size = 2, stride = 1, padding = 0 } },
            { op = "sum-pool", image = { height = 2, width = 2, channels = 3 }, window = { size = 1, stride = 1, padding = 0 } },
            { op = "requant", shift-in = 0, multiplier = 1, shift-out = 0, width = "narrow" },
            { op = "relu" },
            { op = "flatten" },
            { op = "linear", inputs = 12, outputs = 2, bias-shift = 0 },
            { op = "requant", shift-in = 6, multiplier = 128, shift-out = 7, width = "wide" },
            { op = "cross-entropy", classes = 2 },
        ]"#;
    let graph = parse(ops).unwrap();
    let language = example("graph.toml");
    let all = graph.ops.iter().chain(&language.ops);
    let kinds: std::collections::HashSet<_> = all.map(std::mem::discriminant).collect();
    assert_eq!(kinds.len(), 17);
    assert_eq!(
        describe(&graph),
        "16 inputs, Im2col, Linear, Requant, SquaredRelu, MaxPool, SumPool, Requant, Relu, Flatten, Linear, Requant, CrossEntropy"
    );
}

#[test]
fn models_are_told_in_words() {
    assert_eq!(describe(&Graph::mlp(&[784, 128, 10])), "MLP 784-128-10");
    assert_eq!(
        describe(&Graph::transformer(&SHAPE)),
        "transformer of 128 tokens out of 84, 5 layers of width 128 with 4 heads and 512 hidden, untied head"
    );
    let narrow = Transformer {
        heads: 2,
        hidden: 8,
        tied: true,
        ..SHAPE
    };
    assert!(describe(&Graph::transformer(&narrow)).ends_with("2 heads and 8 hidden, tied head"));
}

#[test]
fn the_command_line_takes_widths_or_a_file() {
    let model: Model = "mlp:784,128,10".parse().unwrap();
    assert_eq!(model.0, Graph::mlp(&[784, 128, 10]));
    for wrong in [
        "",
        "mlp:",
        "mlp:784",
        "mlp:784,x",
        "cnn:1,2",
        "mlp:784,128,1",
        "mlp:0,2",
    ] {
        assert!(wrong.parse::<Model>().is_err(), "{wrong}");
    }
    let error = "missing.toml".parse::<Model>().unwrap_err().to_string();
    assert!(
        error.contains("missing.toml") && error.contains("mlp:784,128,10"),
        "{error}"
    );
}

#[test]
fn errors_name_the_key() {
    let shape =
        "kind = \"transformer\"\nvocab = 84\ntokens = 16\nwidth = 8\nheads = 2\nlayers = 1\n";
    assert!(parse(shape).is_ok());
    let op = |keys: &str| format!("kind = \"graph\"\ninputs = 2\nops = [{{ {keys} }}]");
    let cases = [
        ("layers = [1, 2]".to_owned(), "`kind`"),
        ("kind = \"rnn\"".into(), "`kind`"),
        ("kind = \"mlp\"".into(), "`layers`"),
        ("kind = \"mlp\"\nlayers = [2]".into(), "`layers`"),
        (
            "kind = \"mlp\"\nlayers = [2, 2]\nlayer = 1".into(),
            "`layer`",
        ),
        ("kind = \"mlp\"\nlayers = [2, -2]".into(), "layers"),
        (shape.replace("heads = 2", "heads = 3"), "`heads`"),
        (shape.replace("vocab = 84", "vocab = 257"), "`vocab`"),
        (shape.replace("vocab = 84\n", ""), "`vocab`"),
        (shape.replace("tokens = 16", "tokens = 1"), "`tokens`"),
        (shape.replace("tokens = 16", "tokens = \"many\""), "tokens"),
        (shape.replace("layers = 1", "layers = 14"), "`layers`"),
        (shape.to_owned() + "head = 1", "`head`"),
        (
            op("op = \"linear\", inputs = 2, outputs = 2"),
            "op 0 (linear): missing field `bias-shift`",
        ),
        (
            op("op = \"linear\", inputs = 2, outputs = 2, bias-shift = 0, bias = 1"),
            "`bias`",
        ),
        (op("op = \"relu\", slope = 2"), "op 0 (relu)"),
        (op("op = \"gelu\""), "op 0 (gelu)"),
        (op("inputs = 2"), "`op`"),
        (op("op = \"relu\""), "cross-entropy"),
    ];
    for (text, named) in cases {
        let error = parse(&text).unwrap_err().to_string();
        assert!(
            error.contains(named) && !error.contains('\n'),
            "{text}\n{error}"
        );
    }
    assert!(parse("kind = ").unwrap_err().to_string().contains("line 1"));
}
