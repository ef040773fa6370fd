use super::*;
use crate::{Recipe, TextRecipe, TokenKind};

/// The hash of the recipe of byte pairs. Golden: open tasks name it.
const BYTE_PAIRS: &str = "6d816396529b0356ffe026b5b565a8b0a87539f99b352f5aa44d5d770ee51371";
/// The hash of the tokens of [`text`].
const TOKENS: &str = "caa506134a9bcf18c3c10fae6218e6d9b1cb57a0e0731eabd613b7d429dd28cc";
const CHARACTERS: &str = "\n !\"#$&'()*,-.0123456789:;?ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]_\
                          abcdefghijklmnopqrstuvwxyz\u{2014}";

fn hex(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn byte_pairs() -> Vec<String> {
    match Recipe::parse(SHAKESPEARE_BPE).unwrap() {
        Recipe::Text(recipe) => recipe.list,
        other => panic!("{other:?}"),
    }
}

/// Some 20,000 characters made of the tokens, in no order.
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
    assert_eq!(hex(&pairs.hash().unwrap()), BYTE_PAIRS);
}

/// The tokens are the same that the crate `bpe` 0.2 gives.
#[test]
fn pairs_are_joined_as_they_always_were() {
    let characters = Recipe::parse(SHAKESPEARE).unwrap().tokenizer().unwrap();
    let pairs = Recipe::parse(SHAKESPEARE_BPE).unwrap().tokenizer().unwrap();
    let text = text();
    let tokens = pairs.encode(&text).unwrap();
    assert_eq!((text.chars().count(), tokens.len()), (21679, 10173));
    assert_eq!(hex(&Recipe::hash_of(&tokens)), TOKENS);
    assert_eq!(pairs.decode(&tokens), text);
    assert_eq!(characters.decode(&characters.encode(&text).unwrap()), text);
}
