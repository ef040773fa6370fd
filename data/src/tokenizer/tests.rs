use super::*;

fn list(tokens: &[&str]) -> Vec<String> {
    tokens.iter().map(|token| token.to_string()).collect()
}

#[test]
fn a_character_is_its_place() {
    let tokenizer = Tokenizer::characters("ab\u{e9}\n").unwrap();
    assert_eq!(tokenizer.vocab(), 4);
    assert_eq!(tokenizer.encode("\u{e9}ba\n").unwrap(), [2, 1, 0, 3]);
    assert_eq!(tokenizer.decode(&[2, 1, 4, 255, 0]), "\u{e9}ba");
    assert_eq!(tokenizer.length(&[2, 1, 4]), 2);
}

#[test]
fn a_byte_is_a_token() {
    let tokenizer = Tokenizer::bytes();
    assert_eq!(tokenizer.vocab(), 256);
    let text = "caf\u{e9} \u{1f600}";
    let tokens = tokenizer.encode(text).unwrap();
    assert_eq!(tokens, text.as_bytes());
    assert_eq!(tokenizer.decode(&tokens), text);
    assert_eq!(tokenizer.decode(b"caf\xe9"), "caf\u{fffd}");
    assert_eq!(tokenizer.length(&tokens), 6);
}

#[test]
fn the_pair_with_the_lowest_number_is_joined_first() {
    let tokenizer = Tokenizer::byte_pairs(&list(&["a", "b", "c", "bc", "ab", "abc", "aa", "aaa"]));
    // `abc` becomes a and bc, since bc comes before ab.
    let tokenizer = tokenizer.unwrap();
    let tokens = |text: &str| tokenizer.encode(text).unwrap();
    assert_eq!(tokens("abc"), [5]);
    assert_eq!(tokens("abab"), [4, 4]);
    assert_eq!(tokens("aaaa"), [6, 6]);
    assert_eq!(tokens("aaaaa"), [6, 7]);
    assert_eq!(tokenizer.length(&[5, 6, 9]), 5);
    assert_eq!(tokenizer.decode(&[5, 6, 9]), "abcaa");
}

#[test]
fn tokens_that_are_appended_do_not_join_those_before() {
    let tokenizer = Tokenizer::byte_pairs(&list(&["a", "b", "ab"])).unwrap();
    let mut tokens = vec![0];
    tokenizer.encode_into("bab", &mut tokens).unwrap();
    assert_eq!(tokens, [0, 1, 2]);
}

#[test]
fn vocabularies_that_make_no_sense_are_refused() {
    let pairs = |tokens: &[&str]| Tokenizer::byte_pairs(&list(tokens)).unwrap_err();
    assert_eq!(pairs(&[]), RecipeError::Tokens(0));
    assert_eq!(pairs(&["ab"]), RecipeError::Tokens(0));
    assert_eq!(
        pairs(&["a", "b", "abb"]),
        RecipeError::NotAPair("abb".into())
    );
    assert_eq!(pairs(&["a", "b", "ac"]), RecipeError::NotAPair("ac".into()));
    assert_eq!(
        pairs(&["a", "b", "ab", "c"]),
        RecipeError::NotAPair("c".into())
    );
    assert_eq!(pairs(&["a", ""]), RecipeError::NotAPair("".into()));
    assert_eq!(pairs(&["a", "b", "a"]), RecipeError::Twice("a".into()));
    assert_eq!(
        pairs(&["a", "b", "ab", "ab"]),
        RecipeError::Twice("ab".into())
    );
    assert_eq!(pairs(&["a"; 257]), RecipeError::Tokens(257));
    let characters = |text: &str| Tokenizer::characters(text).unwrap_err();
    assert_eq!(characters(""), RecipeError::Tokens(0));
    assert_eq!(characters("aba"), RecipeError::Twice("a".into()));
    let many: String = ('\u{100}'..'\u{201}').collect();
    assert_eq!(characters(&many), RecipeError::Tokens(257));
}

#[test]
fn unknown_characters_are_named_or_replaced() {
    let pairs = Tokenizer::byte_pairs(&list(&["a", "b", "ab"])).unwrap();
    for tokenizer in [Tokenizer::characters("ab").unwrap(), pairs] {
        let error = tokenizer.encode("ba\u{e9}").unwrap_err();
        assert_eq!(error.character, '\u{e9}');
        assert!(error.to_string().contains("characters are ab"), "{error}");
        let lenient = tokenizer.with_unknown('b').unwrap();
        assert_eq!(lenient.decode(&lenient.encode("ba\u{e9}").unwrap()), "bab");
    }
    let unknown = Tokenizer::characters("ab").unwrap().with_unknown('c');
    assert_eq!(unknown, Err(RecipeError::Unknown('c')));
}

#[test]
fn bits_are_counted_by_characters() {
    let tokenizer = Tokenizer::byte_pairs(&list(&["a", "b", "ab", "aba"])).unwrap();
    let samples = Labelled {
        inputs: 2,
        pixels: vec![3, 1, 3, 3],
        labels: vec![0, 1],
    };
    // In the first sample, tokens 1 and 0 count, with two characters; in the second, 3 and 1, with
    // four.
    assert_eq!(tokenizer.characters_of(&samples), 6);
    let bits = tokenizer.bits_per_character(&[65_536, 65_536 * 5], &samples);
    assert_eq!(bits, 1.0);
}

#[test]
fn three_equal_tokens_are_a_pair_and_one() {
    let mut row = vec![5, 5, 5, 5];
    join(&mut row, 1, (5, 5), 7);
    assert_eq!(row, [5, 7, 5]);
}
