use super::{super::sheet::SheetFormat, *};
use gotong_data::SourceOptions;
use gotong_evaluation::bits;
use gotong_scoring::{Evaluator, Transformer};
use gotong_training::initial_weights;
use std::fs;

const FLOWERS: &str = r#"
kind = "table"

[label]
column = "species"
classes = ["iris", "rose", "tulip"]

[[columns]]
name = "petal"
low = 0.0
high = 10.0
missing = 0

[[columns]]
name = "stem"
low = 0.0
high = 1.0
missing = 128
"#;

const LETTERS: &str = r#"
kind = "text"
tokens = "characters"
alphabet = "abcde"
"#;

/// What a model says about a file with this name and content: the lines of the sheet, as CSV.
fn predicted(graph: &Graph, recipe: &str, file: (&str, &str)) -> (Vec<Vec<String>>, Summary) {
    continued(graph, recipe, &[file], None)
}

/// The same for several files, with a continuation after each document.
fn continued(
    graph: &Graph,
    recipe: &str,
    files: &[(&str, &str)],
    continuation: Option<Continuation>,
) -> (Vec<Vec<String>>, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, content)| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    });
    let paths: Vec<_> = paths.collect();
    let weights = initial_weights(graph, 3);
    let predictor = Predictor {
        graph,
        weights: &weights,
        recipe: &Recipe::parse(recipe).unwrap(),
        source: &Source::open(&paths, SourceOptions::default()).unwrap(),
        continuation,
        bar: ProgressBar::hidden(),
    };
    let mut bytes = Vec::new();
    let sheet = Sheet::new(SheetFormat::Csv, &mut bytes);
    let summary = predictor.write(sheet).unwrap();
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).from_reader(&bytes[..]);
    let lines = reader.records().map(|line| {
        let line = line.unwrap();
        line.iter().map(str::to_owned).collect::<Vec<_>>()
    });
    (lines.collect(), summary)
}

fn flowers(content: &str) -> (Vec<Vec<String>>, Summary) {
    predicted(&Graph::mlp(&[2, 6, 3]), FLOWERS, ("new.csv", content))
}

#[test]
fn rows_need_no_label() {
    let (lines, summary) = flowers("stem,petal\n0.5,2\n0,10\n,3\n");
    let head = [
        "file",
        "row",
        "class",
        "probability",
        "label",
        "p:iris",
        "p:rose",
        "p:tulip",
    ];
    assert_eq!(lines[0], head);
    assert_eq!(lines.len(), 4);
    let graph = Graph::mlp(&[2, 6, 3]);
    // 2 of 10 and 0.5 of 1 in bytes, and so on.
    let records = [51, 128, 0, 255, 0, 0, 77, 128, 0];
    let samples = Samples::new(2, 3, &records).unwrap();
    let classes = FastCpu.predict(&graph, &initial_weights(&graph, 3), &samples);
    for ((line, class), row) in lines[1..].iter().zip(classes.unwrap()).zip(1..) {
        assert!(line[0].ends_with("new.csv"));
        assert_eq!(line[1], row.to_string());
        assert_eq!(line[2], ["iris", "rose", "tulip"][usize::from(class)]);
        assert_eq!(line[4], "");
        let all: Vec<f64> = line[5..].iter().map(|p| p.parse().unwrap()).collect();
        assert!((all.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert_eq!(line[3], line[5 + usize::from(class)]);
    }
    assert_eq!(summary.text(), "3 rows, none with a label");
    assert_eq!(summary.json(Path::new("a"))["accuracy"], Value::Null);
}

#[test]
fn labels_that_are_there_are_judged() {
    let content = "petal,stem,species\n2,0.5,rose\n10,0,\n3,1,daisy\n8,0.2,iris\n";
    let (lines, summary) = flowers(content);
    let labels: Vec<&str> = lines[1..].iter().map(|line| line[4].as_str()).collect();
    // A daisy is not one of the classes.
    assert_eq!(labels, ["rose", "", "", "iris"]);
    let graph = Graph::mlp(&[2, 6, 3]);
    let samples = Samples::new(2, 3, &[51, 128, 1, 204, 51, 0]).unwrap();
    let losses = FastCpu.losses(&graph, &initial_weights(&graph, 3), &samples);
    let expected: u64 = losses.unwrap().into_iter().map(u64::from).sum();
    let Summary::Classes {
        rows,
        labelled,
        loss,
        ..
    } = summary
    else {
        panic!("{summary:?}");
    };
    assert_eq!((rows, labelled, loss), (4, 2, expected));
}

/// The class of every row of a file or a folder without labels, and the summary of all of them.
fn unlabelled(recipe: &str, path: &Path) -> (Vec<String>, Summary) {
    let graph = Graph::mlp(&[2, 6, 3]);
    let predictor = Predictor {
        graph: &graph,
        weights: &initial_weights(&graph, 3),
        recipe: &Recipe::parse(recipe).unwrap(),
        source: &Source::open(&[path.to_owned()], SourceOptions::default()).unwrap(),
        continuation: None,
        bar: ProgressBar::hidden(),
    };
    let mut bytes = Vec::new();
    let sheet = Sheet::new(SheetFormat::Csv, &mut bytes);
    let summary = predictor.write(sheet).unwrap();
    let mut reader = csv::Reader::from_reader(&bytes[..]);
    let class = |line: Result<csv::StringRecord, csv::Error>| line.unwrap()[2].to_owned();
    (reader.records().map(class).collect(), summary)
}

#[test]
fn images_and_arrays_need_no_labels() {
    let folder = tempfile::tempdir().unwrap();
    let classes = "classes = [\"iris\", \"rose\", \"tulip\"]\n";
    let arrays = folder.path().join("new.npz");
    fs::write(&arrays, include_bytes!("unlabelled.npz")).unwrap();
    let recipe = format!("kind = \"array\"\nshape = [2]\nlow = 0.0\nhigh = 255.0\n{classes}");
    let (of_arrays, summary) = unlabelled(&recipe, &arrays);
    assert_eq!(summary.text(), "2 rows, none with a label");
    let graph = Graph::mlp(&[2, 6, 3]);
    let samples = Samples::new(2, 3, &[51, 128, 0, 0, 255, 0]).unwrap();
    let expected = FastCpu.predict(&graph, &initial_weights(&graph, 3), &samples);
    let name = |class: &u8| ["iris", "rose", "tulip"][usize::from(*class)];
    let expected: Vec<&str> = expected.unwrap().iter().map(name).collect();
    assert_eq!(of_arrays, expected);

    // The same two bytes as the first array, in a folder without folders.
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    for name in ["a.png", "b.png"] {
        fs::write(images.join(name), include_bytes!("unlabelled.png")).unwrap();
    }
    let recipe = format!("kind = \"image\"\nheight = 1\nwidth = 2\nchannels = 1\n{classes}");
    let (of_images, summary) = unlabelled(&recipe, &images);
    assert_eq!(of_images, [expected[0]; 2]);
    assert_eq!(summary.text(), "2 rows, none with a label");
}

fn letters() -> Graph {
    Graph::transformer(&Transformer {
        vocab: 5,
        tokens: 4,
        width: 8,
        heads: 2,
        hidden: 16,
        layers: 1,
        tied: false,
    })
}

#[test]
fn a_text_is_judged_token_by_token() {
    // Two whole windows, and two more tokens.
    let text = "abcdeabcdab";
    let (lines, summary) = predicted(&letters(), LETTERS, ("letter.txt", text));
    assert_eq!(
        lines[0],
        ["file", "row", "token", "text", "bits", "likeliest"]
    );
    let told: String = lines[1..].iter().map(|line| line[3].as_str()).collect();
    assert_eq!(told, text[1..]);
    let places: Vec<&str> = lines[1..].iter().map(|line| line[2].as_str()).collect();
    assert_eq!(places, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);

    let weights = initial_weights(&letters(), 3);
    let samples = Samples::new(4, 5, &[0, 1, 2, 3, 4, 4, 0, 1, 2, 3]).unwrap();
    let exact = bits(&FastCpu.losses(&letters(), &weights, &samples).unwrap());
    let of_windows = lines[1..9]
        .iter()
        .map(|line| line[4].parse::<f64>().unwrap());
    assert!((of_windows.sum::<f64>() - exact).abs() < 1e-4);
    let Summary::Text {
        tokens, characters, ..
    } = summary
    else {
        panic!("{summary:?}");
    };
    assert_eq!((tokens, characters), (10, 10));
}

#[test]
fn a_text_of_one_token_has_nothing_to_predict() {
    let (lines, summary) = predicted(&letters(), LETTERS, ("letter.txt", "a"));
    assert_eq!(lines.len(), 1);
    assert!(summary.text().starts_with("no token to predict"));
}

#[test]
fn each_document_is_gone_on_with() {
    // More than the model sees, a single token, and the first one again.
    let files = [
        ("a.txt", "abcdeabcdab"),
        ("b.txt", "c"),
        ("c.txt", "abcdeabcdab"),
    ];
    let all = |sampler: Sampler| {
        let continuation = Continuation { length: 3, sampler };
        continued(&letters(), LETTERS, &files, Some(continuation))
    };
    let likeliest = Sampler::new(0, 1);
    let (lines, summary) = all(likeliest.clone());
    assert_eq!(lines[0].last().unwrap(), "continuation");
    let of_ends: Vec<_> = lines[1..]
        .iter()
        .filter(|line| !line[6].is_empty())
        .collect();
    assert_eq!(of_ends.len(), 3);
    // They are in the order of the documents, each after the tokens of its own.
    assert_eq!(lines[11], *of_ends[0]);
    assert_eq!(lines[12], *of_ends[1]);
    assert_eq!(lines[23], *of_ends[2]);
    let weights = initial_weights(&letters(), 3);
    let tokenizer = Recipe::parse(LETTERS).unwrap().tokenizer().unwrap();
    for (line, (name, text)) in of_ends.iter().zip(files) {
        assert!(line[0].ends_with(name));
        assert_eq!(line[2], text.len().to_string());
        assert!(line[3..6].iter().all(String::is_empty));
        let prompt = tokenizer.encode(text).unwrap();
        let mut sampler = likeliest.clone();
        let mut each = |_: u8| {};
        let expected =
            gotong_evaluation::generate(&letters(), &weights, &prompt, 3, &mut sampler, &mut each);
        assert_eq!(line[6], tokenizer.decode(&expected.unwrap()));
    }
    // The rest is unchanged.
    let Summary::Text { tokens, .. } = summary else {
        panic!("{summary:?}");
    };
    assert_eq!(tokens, 20);
    // The same document continues in the same way, whatever came before it.
    let (drawn, _) = all(Sampler::new(10_000, 7));
    assert_eq!(drawn[11][6], drawn[23][6]);
}
