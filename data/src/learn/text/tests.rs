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

/// What is learned, beyond the characters, from a text that has each word this often, as documents of their own.
fn joined(words: &[(&str, usize)], count: usize) -> Vec<String> {
    let repeated = words
        .iter()
        .flat_map(|(word, times)| std::iter::repeat_n(word.to_string(), *times));
    let texts: Vec<String> = repeated.collect();
    let characters: BTreeSet<char> = texts.iter().flat_map(|text| text.chars()).collect();
    let alphabet: String = characters.into_iter().collect();
    let vocab = alphabet.chars().count() + count;
    let mut tokens = pairs(Path::new("words"), &alphabet, &texts, vocab).unwrap();
    tokens.split_off(vocab - count)
}

/// The expected tokens were worked out by the rule of Sennrich, Haddow and Birch as the crate `tokenizers` applies it: the most
/// frequent pair, and the one with the lowest numbers among equally frequent ones. After each is how often its pair occurs.
#[test]
fn published_corpora_give_the_published_pairs() {
    // The example of Hugging Face's course on tokenizers.
    let hugs = [
        ("hug", 10),
        ("pug", 5),
        ("pun", 12),
        ("bun", 4),
        ("hugs", 5),
    ];
    let expected = [
        "ug",   // 20: u+g in hug, pug, hugs
        "un",   // 16: u+n in pun, bun
        "hug",  // 15: h+ug in hug, hugs
        "pun",  // 12: p+un
        "pug",  // 5: p+ug, before hug+s, because p comes before hug
        "hugs", // 5: hug+s
    ];
    assert_eq!(joined(&hugs, 6), expected);

    // The example of the paper; `~` ends a word, and is the last character.
    let low = [("low~", 5), ("lower~", 2), ("newest~", 6), ("widest~", 3)];
    let expected = [
        "es",      // 9: e+s in newest, widest, before s+t and t+~, which are as frequent
        "t~",      // 9: t+~, before es+t
        "est~",    // 9: es+t~
        "lo",      // 7: l+o in low, lower, before o+w
        "low",     // 7: lo+w
        "ew",      // 6: e+w in newest, before n+e and w+est~
        "new",     // 6: n+ew, before ew+est~
        "newest~", // 6: new+est~
        "low~",    // 5: low+~
        "dest~",   // 3: d+est~ in widest, before i+d and w+i
        "idest~",  // 3: i+dest~, before w+i
        "widest~", // 3: w+idest~
    ];
    assert_eq!(joined(&low, 12), expected);
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
