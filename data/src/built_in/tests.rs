use super::*;
use crate::{Recipe, TextRecipe, TokenKind};
use bpe::byte_pair_encoding::BytePairEncoding;

/// The hash of the recipe of byte pairs. Golden: tasks that are open name it.
const BYTE_PAIRS: &str = "6d816396529b0356ffe026b5b565a8b0a87539f99b352f5aa44d5d770ee51371";
const CHARACTERS: &str = "\n !\"#$&'()*,-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]_\
                          abcdefghijklmnopqrstuvwxyz\u{2014}";

fn byte_pairs() -> Vec<String> {
    match Recipe::parse(SHAKESPEARE_BPE).unwrap() {
        Recipe::Text(recipe) => recipe.list,
        other => panic!("{other:?}"),
    }
}

/// Some 20,000 characters that the tokens make, in no order.
fn text() -> String {
    let tokens = byte_pairs();
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as usize
    };
    (0..10_000).map(|_| &*tokens[next()]).collect()
}

#[test]
fn built_in_recipes_are_canonical() {
    for text in [FASHION_MNIST, SHAKESPEARE, SHAKESPEARE_BPE] {
        assert_eq!(Recipe::parse(text).unwrap().to_text().unwrap(), text);
    }
}

#[test]
fn clothes_are_images_of_ten_classes() {
    let recipe = Recipe::parse(FASHION_MNIST).unwrap();
    assert_eq!((recipe.inputs(), recipe.classes()), (Some(28 * 28), 10));
}

#[test]
fn plays_are_of_the_characters_and_pairs_that_were_always_used() {
    let text_recipe = |tokens, alphabet: &str, list| {
        Recipe::Text(TextRecipe {
            tokens,
            unknown: None,
            alphabet: alphabet.into(),
            list,
        })
    };
    let characters = text_recipe(TokenKind::Characters, CHARACTERS, Vec::new());
    assert_eq!(Recipe::parse(SHAKESPEARE).unwrap(), characters);
    assert_eq!(characters.vocab(), Some(84));
    let pairs = text_recipe(TokenKind::BytePairs, "", byte_pairs());
    assert_eq!(Recipe::parse(SHAKESPEARE_BPE).unwrap(), pairs);
    assert_eq!(pairs.vocab(), Some(256));
    let hash = pairs.hash().unwrap();
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, BYTE_PAIRS);
}

#[test]
fn pairs_are_joined_as_the_crate_bpe_joins_them() {
    let characters = Recipe::parse(SHAKESPEARE).unwrap().tokenizer().unwrap();
    let pairs = Recipe::parse(SHAKESPEARE_BPE).unwrap().tokenizer().unwrap();
    let numbers = |token: &String| characters.encode(token).unwrap();
    let encoding = BytePairEncoding::from_dictionary(byte_pairs().iter().map(numbers), None);
    let text = text();
    let expected = encoding.encode_via_backtracking(&numbers(&text));
    let found: Vec<u32> = pairs
        .encode(&text)
        .unwrap()
        .into_iter()
        .map(u32::from)
        .collect();
    assert!(found == expected);
    assert_eq!(pairs.decode(&pairs.encode(&text).unwrap()), text);
    assert_eq!(characters.decode(&numbers(&text)), text);
}
