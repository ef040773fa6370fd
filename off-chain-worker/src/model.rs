//! Architectures as people write and read them: TOML in, a line of words out.
//!
//! `kind` says which of the forms a file has: `mlp`, `transformer`, `cnn`, or `graph`, which lists the
//! machine's ops one by one. `docs/models` has an example of each.

use gotong_scoring::{
    Cnn, Convolution, Graph, GraphError, Image, Op, Pool, Transformer, Width, Window,
};
use serde::{de::DeserializeOwned, Deserialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};
use toml::{Table, Value};

/// Why text is not an architecture.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; a model is a TOML file, or mlp: and layer widths such as mlp:784,128,10", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file is no TOML.
    #[error("{0}")]
    NotToml(#[from] toml::de::Error),
    /// A key is missing, unknown, or of another type than it must be.
    #[error("{place}: {problem}")]
    WrongKey {
        /// Where it is, as a path of keys.
        place: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A value of a key cannot be.
    #[error("`{key}` is {value}, and must be {rule}")]
    OutOfBounds {
        /// The key.
        key: &'static str,
        /// What the file gives it.
        value: u32,
        /// What it must be.
        rule: String,
    },
    /// What the file says is no model.
    #[error("this model cannot be: {0}")]
    Invalid(#[from] GraphError),
}

/// An architecture as named on the command line: `mlp:` and layer widths, or a TOML file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model(pub Graph);

impl FromStr for Model {
    type Err = ModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let graph = match text.strip_prefix("mlp:") {
            Some(widths) => {
                let layers: Result<Vec<u32>, _> = widths.split(',').map(str::parse).collect();
                let layers = layers.map_err(|_| {
                    wrong(text, "write mlp: and layer widths, such as mlp:784,128,10")
                })?;
                Mlp { layers }.graph()?
            }
            None => read(Path::new(text))?,
        };
        Ok(Self(graph))
    }
}

/// The model in the TOML file at `path`.
///
/// # Errors
/// A file that cannot be read, or is no valid model.
pub fn read(path: &Path) -> Result<Graph, ModelError> {
    let text = fs::read_to_string(path).map_err(|source| ModelError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text)
}

/// The model in the TOML `text`.
///
/// # Errors
/// Text that is no valid model; the error names the key at fault.
pub fn parse(text: &str) -> Result<Graph, ModelError> {
    let mut table: Table = toml::from_str(text)?;
    let kind = table.remove("kind");
    let graph = match kind.as_ref().and_then(Value::as_str) {
        Some("mlp") => from_table::<Mlp>("mlp", table)?.graph()?,
        Some("transformer") => from_table::<Decoder>("transformer", table)?.graph()?,
        Some("cnn") => from_table::<Convolutional>("cnn", table)?.graph()?,
        Some("graph") => from_table::<Ops>("graph", table)?.graph()?,
        _ => {
            let problem = "must be \"mlp\", \"transformer\", \"cnn\" or \"graph\"";
            return Err(wrong("`kind`", problem));
        }
    };
    graph.validate()?;
    Ok(graph)
}

fn wrong(place: impl Into<String>, problem: impl Into<String>) -> ModelError {
    ModelError::WrongKey {
        place: place.into(),
        problem: problem.into(),
    }
}

fn from_table<T: DeserializeOwned>(place: &str, table: Table) -> Result<T, ModelError> {
    let made = table.try_into::<T>();
    made.map_err(|error| wrong(place, explain(&error)))
}

/// What is wrong and in which key, on one line.
fn explain(error: &toml::de::Error) -> String {
    error.to_string().trim_end().replace('\n', " ")
}

fn check(key: &'static str, value: u32, is_right: bool, rule: &str) -> Result<(), ModelError> {
    if is_right {
        return Ok(());
    }
    Err(ModelError::OutOfBounds {
        key,
        value,
        rule: rule.to_owned(),
    })
}

/// `kind = "mlp"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mlp {
    layers: Vec<u32>,
}

impl Mlp {
    fn graph(self) -> Result<Graph, ModelError> {
        let count = self.layers.len() as u32;
        check("layers", count, count >= 2, "a list of two or more widths")?;
        let graph = Graph::mlp(&self.layers);
        graph.validate()?;
        Ok(graph)
    }
}

/// `kind = "transformer"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decoder {
    vocab: u32,
    tokens: u32,
    width: u32,
    heads: u32,
    hidden: Option<u32>,
    layers: u32,
    #[serde(default)]
    tied: bool,
}

impl Decoder {
    fn graph(self) -> Result<Graph, ModelError> {
        let shape = Transformer {
            vocab: self.vocab,
            tokens: self.tokens,
            width: self.width,
            heads: self.heads,
            hidden: self.hidden.unwrap_or(self.width.saturating_mul(4)),
            layers: self.layers,
            tied: self.tied,
        };
        let within = |value: u32, least, most| (least..=most).contains(&value);
        check(
            "vocab",
            shape.vocab,
            within(shape.vocab, 2, 256),
            "2 to 256",
        )?;
        check(
            "tokens",
            shape.tokens,
            within(shape.tokens, 2, 1024),
            "2 to 1024",
        )?;
        check(
            "width",
            shape.width,
            within(shape.width, 1, 2048),
            "1 to 2048",
        )?;
        let divides = shape.heads > 0 && shape.width.is_multiple_of(shape.heads);
        check("heads", shape.heads, divides, "a divisor of `width`")?;
        check("hidden", shape.hidden, shape.hidden > 0, "1 or more")?;
        check(
            "layers",
            shape.layers,
            within(shape.layers, 1, 13),
            "1 to 13",
        )?;
        Ok(Graph::transformer(&shape))
    }
}

/// `kind = "cnn"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Convolutional {
    #[serde(with = "ImageKeys")]
    image: Image,
    convolutions: Vec<ConvolutionKeys>,
    #[serde(default)]
    hidden: Vec<u32>,
    classes: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ConvolutionKeys {
    channels: u32,
    size: u8,
    #[serde(default = "one")]
    stride: u8,
    #[serde(default)]
    padding: u8,
    max_pool: Option<u8>,
    mean_pool: Option<u8>,
}

fn one() -> u8 {
    1
}

impl Convolutional {
    fn graph(self) -> Result<Graph, ModelError> {
        let convolution = |(index, keys): (usize, ConvolutionKeys)| {
            let pool = match (keys.max_pool, keys.mean_pool) {
                (None, None) => Pool::None,
                (Some(size), None) => Pool::Max(size),
                (None, Some(size)) => Pool::Mean(size),
                (Some(_), Some(_)) => {
                    let place = format!("convolution {index}");
                    return Err(wrong(place, "either `max-pool` or `mean-pool`, not both"));
                }
            };
            let window = Window {
                size: keys.size,
                stride: keys.stride,
                padding: keys.padding,
            };
            Ok(Convolution {
                channels: keys.channels,
                window,
                pool,
            })
        };
        let convolutions = self.convolutions.into_iter().enumerate().map(convolution);
        Ok(Graph::cnn(&Cnn {
            image: self.image,
            convolutions: convolutions.collect::<Result<_, _>>()?,
            hidden: self.hidden,
            classes: self.classes,
        }))
    }
}

/// `kind = "graph"`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ops {
    inputs: u32,
    ops: Vec<Table>,
}

impl Ops {
    fn graph(self) -> Result<Graph, ModelError> {
        let op = |(index, mut keys): (usize, Table)| {
            let place = format!("op {index}");
            let Some(Value::String(name)) = keys.remove("op") else {
                return Err(wrong(place, "`op` must be the name of an op"));
            };
            let named = Table::from_iter([(name.clone(), Value::Table(keys))]);
            let made = OpKeys::deserialize(named);
            made.map_err(|error| wrong(format!("{place} ({name})"), explain(&error)))
        };
        let ops = self.ops.into_iter().enumerate().map(op);
        Ok(Graph {
            inputs: self.inputs,
            ops: ops.collect::<Result<_, _>>()?,
        })
    }
}

/// The keys of every op; what they mean is told at [`Op`].
#[derive(Deserialize)]
#[serde(
    remote = "Op",
    deny_unknown_fields,
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case"
)]
enum OpKeys {
    Linear {
        inputs: u32,
        outputs: u32,
        bias_shift: u8,
    },
    Requant {
        shift_in: u8,
        multiplier: u8,
        shift_out: u8,
        #[serde(with = "WidthKeys")]
        width: Width,
    },
    Relu,
    CrossEntropy {
        classes: u32,
    },
    Embed {
        vocab: u32,
        tokens: u32,
        width: u32,
        shift: u8,
    },
    RmsNorm {
        width: u32,
        unit_bits: u8,
    },
    Scores {
        heads: u32,
        head_width: u32,
    },
    Softmax {
        heads: u32,
        tokens: u32,
    },
    Mix {
        from: u32,
        heads: u32,
        head_width: u32,
    },
    Residual {
        from: u32,
    },
    SquaredRelu,
    Unembed {
        vocab: u32,
        width: u32,
    },
    Total {
        tokens: u32,
    },
    Im2col {
        #[serde(with = "ImageKeys")]
        image: Image,
        #[serde(with = "WindowKeys")]
        window: Window,
    },
    MaxPool {
        #[serde(with = "ImageKeys")]
        image: Image,
        #[serde(with = "WindowKeys")]
        window: Window,
    },
    SumPool {
        #[serde(with = "ImageKeys")]
        image: Image,
        #[serde(with = "WindowKeys")]
        window: Window,
    },
    Flatten,
}

#[derive(Deserialize)]
#[serde(remote = "Width", rename_all = "kebab-case")]
enum WidthKeys {
    Narrow,
    Wide,
}

#[derive(Deserialize)]
#[serde(remote = "Image", deny_unknown_fields)]
struct ImageKeys {
    height: u16,
    width: u16,
    channels: u32,
}

#[derive(Deserialize)]
#[serde(remote = "Window", deny_unknown_fields)]
struct WindowKeys {
    size: u8,
    stride: u8,
    padding: u8,
}

/// What a model is, on one line.
pub fn describe(graph: &Graph) -> String {
    if let Some(layers) = mlp(graph) {
        let widths: Vec<String> = layers.iter().map(u32::to_string).collect();
        return format!("MLP {}", widths.join("-"));
    }
    if let Some(shape) = Transformer::of(graph) {
        return format!(
            "transformer of {} tokens out of {}, {} layers of width {} with {} heads and {} hidden, {} head",
            shape.tokens,
            shape.vocab,
            shape.layers,
            shape.width,
            shape.heads,
            shape.hidden,
            if shape.tied { "tied" } else { "untied" },
        );
    }
    let name = |op: &Op| {
        let fields = format!("{op:?}");
        fields.split(' ').next().unwrap_or_default().to_owned()
    };
    let names: Vec<String> = graph.ops.iter().map(name).collect();
    format!("{} inputs, {}", graph.inputs, names.join(", "))
}

/// The layers of a graph that is an MLP.
fn mlp(graph: &Graph) -> Option<Vec<u32>> {
    let outputs = graph.ops.iter().filter_map(|op| match op {
        Op::Linear { outputs, .. } => Some(*outputs),
        _ => None,
    });
    let layers: Vec<u32> = [graph.inputs].into_iter().chain(outputs).collect();
    (Graph::mlp(&layers) == *graph).then_some(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            5,
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
}
