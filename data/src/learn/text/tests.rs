use super::*;
use crate::fixture::Folder;
use crate::{learn, Recipe};

fn learned(text: &str, options: &LearnOptions) -> Result<TextRecipe, DataError> {
    let folder = Folder::new();
    let source = folder.open("a.txt", text).unwrap();
    match learn(&source, |_| true, options)? {
        Recipe::Text(recipe) => Ok(recipe),
        other => panic!("{other:?}"),
    }
}

fn of(tokens: TokenKind) -> LearnOptions {
    LearnOptions {
        tokens: Some(tokens),
        ..LearnOptions::default()
    }
}

#[test]
fn the_most_frequent_pair_is_learned_first() {
    // "abab", "cab": ab three times, then (ab)(ab) and c(ab) once each.
    let learned = learn_pairs(vec![vec![0, 1, 0, 1], vec![2, 0, 1]], 3, 6);
    assert_eq!(learned[3..], [vec![0, 1], vec![2, 0, 1], vec![0, 1, 0, 1]]);
    let none_left = learn_pairs(vec![vec![0]], 1, 9);
    assert_eq!(none_left, [[0]]);
}

#[test]
fn what_is_learned_is_a_vocabulary() {
    let text =
        "O, that this too too solid flesh would melt, thaw, and resolve itself into a dew!\n";
    let recipe = learned(&text.repeat(9), &LearnOptions::default()).unwrap();
    assert_eq!(recipe.tokens, TokenKind::BytePairs);
    let tokenizer = recipe.tokenizer().unwrap();
    let tokens = tokenizer.encode(text).unwrap();
    assert!(tokens.len() < text.len() / 10, "{} tokens", tokens.len());
    assert_eq!(tokenizer.decode(&tokens), text);
    let few = LearnOptions {
        vocab: 40,
        ..LearnOptions::default()
    };
    let few = learned(text, &few).unwrap();
    assert_eq!(few.list, recipe.list[..40]);
}

#[test]
fn characters_are_sorted() {
    let recipe = learned("hello\u{e9}!\n", &of(TokenKind::Characters)).unwrap();
    assert_eq!(recipe.alphabet, "\n!ehlo\u{e9}");
    let options = LearnOptions {
        unknown: Some('?'),
        ..of(TokenKind::Characters)
    };
    let recipe = learned("hello", &options).unwrap();
    assert_eq!((&*recipe.alphabet, recipe.unknown), ("?ehlo", Some('?')));
}

#[test]
fn text_of_many_characters_is_bytes() {
    let many: String = ('\u{100}'..'\u{181}').collect();
    let recipe = learned(&many, &LearnOptions::default()).unwrap();
    assert_eq!((recipe.tokens, recipe.vocab()), (TokenKind::Bytes, 256));
    let recipe = learned(&many, &of(TokenKind::BytePairs)).unwrap();
    assert_eq!(recipe.list.len().min(130), 130);
    let many: String = ('\u{100}'..'\u{201}').collect();
    for tokens in [TokenKind::Characters, TokenKind::BytePairs] {
        let error = learned(&many, &of(tokens)).unwrap_err();
        assert!(
            matches!(error, DataError::TooManyCharacters { .. }),
            "{error}"
        );
    }
}

#[test]
fn documents_that_are_not_for_training_leave_no_trace() {
    let folder = Folder::new();
    let paths = [
        folder.write("a.txt", "ab"),
        folder.write("b.txt", "secret"),
        folder.write("c.txt", "c"),
    ];
    let source = crate::Source::open(&paths, Default::default()).unwrap();
    let Recipe::Text(recipe) = learn(&source, |row| row != 1, &of(TokenKind::Characters)).unwrap()
    else {
        panic!("text");
    };
    assert_eq!(recipe.alphabet, "abc");
    let error = learn(&source, |_| false, &LearnOptions::default()).unwrap_err();
    assert!(matches!(error, DataError::Empty { .. }), "{error}");
}

#[test]
fn a_beginning_is_whole_characters() {
    assert_eq!(beginning("a\u{e9}".into(), 2), "a");
    assert_eq!(beginning("a\u{e9}".into(), 3), "a\u{e9}");
    assert_eq!(beginning("a".into(), 9), "a");
}
