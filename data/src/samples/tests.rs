use super::*;
use crate::fixture::Folder;

const LETTERS: &str = "kind = \"text\"\ntokens = \"characters\"\nalphabet = \"abcde\"\n";
const FLOWERS: &str = r#"
kind = "table"

[label]
column = "species"
classes = ["iris", "rose"]

[[columns]]
name = "petal"
low = 0.0
high = 255.0
missing = 0
"#;

fn limit(most_bytes: u64, bytes_besides: u64) -> MemoryLimit {
    MemoryLimit {
        most_bytes,
        bytes_besides,
    }
}

#[test]
fn samples_that_do_not_fit_into_memory_are_refused_with_their_size() {
    let folder = Folder::new();
    let row = |row: u32| format!("{row},{}\n", ["iris", "rose"][row as usize % 2]);
    let csv = "petal,species\n".to_owned() + &(0..100).map(row).collect::<String>();
    let table = folder.open("a.csv", csv).unwrap();
    let recipe = Recipe::parse(FLOWERS).unwrap();
    // A sample and its label, and ten bytes besides.
    let whole = recipe.load(&table, None).unwrap();
    let loaded = recipe.load_within(&table, None, limit(1_200, 10)).unwrap();
    assert!(loaded == whole && loaded.len() == 100);
    let refused = recipe.load_within(&table, None, limit(1_199, 10));
    let error = refused.unwrap_err();
    let is_told = matches!(
        &error,
        DataError::TooLarge {
            samples: 100,
            needs: 1_200,
            most: 1_199,
            ..
        }
    );
    assert!(is_told, "{error}");
    for told in ["a.csv", "1200", "1199"] {
        assert!(error.to_string().contains(told), "{error}");
    }
    let text = folder.open("a.txt", "abcdeabcde").unwrap();
    let recipe = Recipe::parse(LETTERS).unwrap();
    assert_eq!(recipe.count_samples(&text, Some(4)).unwrap(), 2);
    let load = |most| recipe.load_within(&text, Some(4), limit(most, 0));
    assert!(load(10).unwrap() == recipe.load(&text, Some(4)).unwrap());
    let error = load(9).unwrap_err();
    assert!(
        matches!(&error, DataError::TooLarge { needs: 10, .. }),
        "{error}"
    );
}

#[test]
fn only_what_is_wanted_is_given_and_all_is_counted() {
    let folder = Folder::new();
    // The last row's class is unknown, but nobody asks for that row.
    let table = folder
        .open("a.csv", "petal,species\n1,iris\n2,rose\n3,x\n")
        .unwrap();
    let recipe = Recipe::parse(FLOWERS).unwrap();
    let mut given = Vec::new();
    let count = recipe.each_sample(
        &table,
        None,
        |number| number == 1,
        |sample, label| {
            given.push((sample.to_vec(), label));
            Ok::<(), DataError>(())
        },
    );
    assert_eq!((count.unwrap(), given), (3, vec![(vec![2], 1)]));
    assert!(recipe.load(&table, None).is_err());
}
