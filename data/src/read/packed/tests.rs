use super::*;
use crate::fixture::{cells, rows, Folder};
use crate::{Format, Source, SourceOptions, Values};
use flate2::{write::GzEncoder, Compression};
use std::io::Write;

const CSV: &str = "petal,species\n1,iris\n2,rose\n";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(bytes, 1).unwrap()
}

#[test]
fn packed_tables_and_texts_are_read_as_they_are() {
    let folder = Folder::new();
    for (name, pack) in [
        ("gz", gzip as fn(&[u8]) -> Vec<u8>),
        ("zst", zstandard as fn(&[u8]) -> Vec<u8>),
    ] {
        let open = |format: &str, text: &str| {
            let packed = pack(text.as_bytes());
            folder.open(&format!("a.{format}.{name}"), packed).unwrap()
        };
        let table = open("csv", CSV);
        assert_eq!(table.format(), Format::Csv);
        assert_eq!(cells(&table).unwrap(), [["1", "iris"], ["2", "rose"]]);
        let lines = open("JSONL", "{\"a\": 1}\n{\"a\": 2}\n");
        assert_eq!(cells(&lines).unwrap(), [["1"], ["2"]]);
        let text = rows(&open("txt", "To be")).unwrap();
        assert_eq!(text[0].values, Values::Text("To be".into()));
    }
}

#[test]
fn what_is_inside_counts_and_not_the_name() {
    let folder = Folder::new();
    let source = folder.open("a.csv", gzip(CSV.as_bytes())).unwrap();
    assert_eq!(cells(&source).unwrap().len(), 2);
    // Several members form one file, as `cat a.gz b.gz` makes it.
    let members = [gzip(CSV.as_bytes()), gzip(b"3,iris\n")].concat();
    let source = folder.open("a.csv.gz", members).unwrap();
    assert_eq!(cells(&source).unwrap().len(), 3);
    // Zeros fill the last block of a tape; there are more than are read at once.
    let members = [gzip(CSV.as_bytes()), vec![0; 3], gzip(b"3,iris\n")];
    let padded = [members.concat(), vec![0; 2 * BUFFER_BYTES]].concat();
    let source = folder.open("padded.csv.gz", padded.clone()).unwrap();
    assert_eq!(cells(&source).unwrap().len(), 3);
    let other = [padded, b"more".to_vec()].concat();
    let source = folder.open("other.csv.gz", other);
    assert!(source.and_then(|source| cells(&source)).is_err());
    let options = SourceOptions {
        format: Some(Format::Csv),
        ..SourceOptions::default()
    };
    let unnamed = folder.write("rows.gz", gzip(CSV.as_bytes()));
    assert_eq!(
        cells(&Source::open(&[unnamed], options).unwrap())
            .unwrap()
            .len(),
        2
    );
}

#[test]
fn what_is_not_packed_or_holds_something_else_is_named() {
    let folder = Folder::new();
    let refused = |name: &str, bytes: Vec<u8>| folder.open(name, bytes).unwrap_err();
    let error = refused("a.csv.gz", CSV.into());
    assert!(
        matches!(
            &error,
            DataError::NotPacked {
                packing: Packing::Gzip,
                ..
            }
        ),
        "{error}"
    );
    let error = refused("a.csv.zst", CSV.into());
    assert!(
        matches!(
            &error,
            DataError::NotPacked {
                packing: Packing::Zstandard,
                ..
            }
        ),
        "{error}"
    );
    let mut tar = vec![b'a'; 600];
    tar[TAR].copy_from_slice(b"ustar");
    let inside = [
        (tar, "several files"),
        (b"PK\x03\x04rest".to_vec(), "zip"),
        (b"PAR1rest".to_vec(), "Parquet"),
        (gzip(CSV.as_bytes()), "another compressed file"),
        (b"a,\0b\n".to_vec(), "binary"),
    ];
    for (bytes, word) in inside {
        let error = refused("a.csv.gz", gzip(&bytes));
        assert!(matches!(&error, DataError::PackedContent { .. }), "{error}");
        assert!(error.to_string().contains(word), "{error}");
    }
    for name in ["a.parquet.gz", "a.npz.gz", "a.records.zst"] {
        let error = refused(name, gzip(CSV.as_bytes()));
        assert!(matches!(&error, DataError::PackedFormat { .. }), "{error}");
    }
    let error = refused("rows.gz", gzip(CSV.as_bytes()));
    assert!(matches!(&error, DataError::UnknownFormat { .. }), "{error}");
    for bytes in [Vec::new(), gzip(b"")] {
        for name in ["a.csv.gz", "a.jsonl.gz", "a.txt.gz"] {
            let error = refused(name, bytes.clone());
            assert!(matches!(&error, DataError::Empty { .. }), "{error}");
        }
    }
}

#[test]
fn a_file_that_is_cut_off_or_damaged_is_named() {
    let folder = Folder::new();
    let row = |row: u32| format!("{row},{}\n", row.wrapping_mul(2_654_435_761));
    let table = "a,b\n".to_owned() + &(0..50_000).map(row).collect::<String>();
    for (name, packed) in [
        ("a.csv.gz", gzip(table.as_bytes())),
        ("a.csv.zst", zstandard(table.as_bytes())),
    ] {
        let source = folder.open(name, &packed[..packed.len() / 2]).unwrap();
        let error = rows(&source).unwrap_err();
        assert!(matches!(&error, DataError::Truncated { .. }), "{error}");
    }
    let mut damaged = gzip(table.as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 64].fill(0xff);
    let source = folder.open("a.csv.gz", damaged).unwrap();
    // Whatever the damage does to the rows, it is an error.
    assert!(rows(&source).is_err());
    let mut wrong_sum = gzip(CSV.as_bytes());
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    let error = folder.open("a.csv.gz", wrong_sum).unwrap_err();
    assert!(matches!(&error, DataError::Damaged { .. }), "{error}");
}

#[test]
fn a_bomb_does_not_fill_the_memory() {
    let folder = Folder::new();
    // 80 MiB in one row, of which less than a tenth is on disk.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"a,b\n1,").unwrap();
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..80 {
        encoder.write_all(&piece).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 8 << 20);
    let error = rows(&folder.open("a.csv.gz", bomb).unwrap()).unwrap_err();
    assert!(matches!(&error, DataError::BadRow { .. }), "{error}");
}
