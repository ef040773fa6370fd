//! The recipes of the data sets that Gotong knows.

/// Fashion-MNIST: images of ten kinds of clothes, from its IDX files.
pub const FASHION_MNIST: &str = include_str!("../recipes/fashion-mnist.toml");

/// Shakespeare's plays, one token per character.
pub const SHAKESPEARE: &str = include_str!("../recipes/shakespeare.toml");

/// Shakespeare's plays, in 256 tokens of one or more characters.
pub const SHAKESPEARE_BPE: &str = include_str!("../recipes/shakespeare-bpe.toml");

#[cfg(test)]
mod tests;
