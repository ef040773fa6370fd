//! How a language model continues a text, evaluated exactly: the same tokens on every machine.

use super::FastCpu;
use gotong_scoring::{blake2_256, evaluator, machine::shares, EvalError, Graph, Samples};

/// Chooses tokens from logits with integers only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// In thousandths; at 0 the most likely token is chosen.
    temperature: u32,
    seed: u64,
    /// Tokens drawn so far.
    drawn: u64,
}

impl Sampler {
    /// `temperature` in thousandths: 0 is greedy, 1000 draws by the model's own probabilities. The
    /// same `seed` draws the same tokens.
    pub fn new(temperature: u32, seed: u64) -> Self {
        Self {
            temperature,
            seed,
            drawn: 0,
        }
    }

    /// A token by its logit in 1/64 log2 units; 0 if there is none.
    ///
    /// With `t` the temperature, a logit `z` weighs [`shares`] of `-(max(z) - z) / t`, rounded, in 14
    /// bits. The token is where a number below the weights' sum falls: 64 bits of
    /// `H("gotong:sample" | seed | count)`, both little endian as u64, modulo the sum, which is below
    /// 2^23.
    pub fn choose(&mut self, logits: &[i16]) -> u8 {
        if self.temperature == 0 {
            return evaluator::largest(logits);
        }
        let most = logits.iter().copied().max().unwrap_or(0);
        let cooled = |z: &i16| {
            let below = u32::from(most.abs_diff(*z));
            let below = (below * 1000 + self.temperature / 2) / self.temperature;
            -(below.min(32_767) as i16)
        };
        let cooled: Vec<i16> = logits.iter().map(cooled).collect();
        // With a sample of one token, shares have 14 bits.
        let weights = shares(&cooled, 1);
        let sum: u64 = weights.iter().map(|weight| *weight as u64).sum();
        let mut left = self.draw() % sum.max(1);
        for (token, weight) in (0..=u8::MAX).zip(&weights) {
            match left.checked_sub(*weight as u64) {
                Some(rest) => left = rest,
                None => return token,
            }
        }
        0
    }

    fn draw(&mut self) -> u64 {
        let count = self.drawn.to_le_bytes();
        self.drawn += 1;
        let digest = blake2_256(&[b"gotong:sample", &self.seed.to_le_bytes(), &count]);
        let (bits, _) = digest.as_chunks::<8>();
        bits.first().map_or(0, |bits| u64::from_le_bytes(*bits))
    }
}

/// Why nothing can be generated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GenerateError {
    /// The graph does not begin with an embedding.
    #[error("the model does not work on tokens")]
    NoTokens,
    /// There is no token to continue from.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// The model cannot be evaluated.
    #[error(transparent)]
    Evaluation(#[from] EvalError),
}

/// The `count` tokens with which the model continues `prompt`; each is also passed to `each`.
///
/// A token is chosen from the logits that follow the last tokens, as many as the graph takes. Fewer
/// are padded at the end, which the tokens before it do not see.
///
/// # Errors
/// A graph that does not take tokens or is not valid; weights that do not fit it; a prompt without
/// tokens, or with unknown ones.
pub fn generate(
    graph: &Graph,
    weights: &[i16],
    prompt: &[u8],
    count: usize,
    sampler: &mut Sampler,
    each: &mut dyn FnMut(u8),
) -> Result<Vec<u8>, GenerateError> {
    let vocab = graph.vocab().ok_or(GenerateError::NoTokens)?;
    if prompt.is_empty() {
        return Err(GenerateError::EmptyPrompt);
    }
    let (tokens, vocab) = (graph.inputs as usize, vocab as usize);
    let mut text = prompt.to_vec();
    for _ in 0..count {
        let seen = &text[text.len().saturating_sub(tokens)..];
        let mut record = seen.to_vec();
        record.resize(tokens + 1, 0);
        let samples = Samples::new(graph.inputs, graph.classes(), &record)
            .map_err(|_| EvalError::WrongOperand)?;
        let logits = FastCpu.logits(graph, weights, &samples)?.concat();
        let of_last = logits.get((seen.len() - 1) * vocab..seen.len() * vocab);
        let token = sampler.choose(of_last.ok_or(EvalError::WrongOperand)?);
        text.push(token);
        each(token);
    }
    Ok(text.split_off(prompt.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_scoring::{Reference, Transformer};

    fn count(temperature: u32, logits: &[i16]) -> Vec<u32> {
        let mut sampler = Sampler::new(temperature, 7);
        let mut counts = vec![0; logits.len()];
        for _ in 0..4096 {
            counts[usize::from(sampler.choose(logits))] += 1;
        }
        counts
    }

    #[test]
    fn tokens_are_drawn_by_their_probabilities() {
        // 1/2, 1/4 and twice 1/8.
        let counts = count(1000, &[-64, 0, -128, -128]);
        for (count, expected) in counts.iter().zip([1024u32, 2048, 512, 512]) {
            assert!(count.abs_diff(expected) < 150, "{counts:?}");
        }
        // Half the temperature squares the odds; ten times the temperature nearly levels them.
        let cold = count(500, &[0, -64]);
        assert!(cold[1].abs_diff(4096 / 5) < 150, "{cold:?}");
        let hot = count(10_000, &[0, -64]);
        assert!(hot[0].abs_diff(2119) < 150, "{hot:?}");
        assert_eq!(count(0, &[3, 9, 9, -5]), [0, 4096, 0, 0]);
        assert_eq!(count(1, &[0, -1]), [4096, 0]);
        assert_eq!(count(1000, &[i16::MIN, i16::MAX]), [0, 4096]);
        assert_eq!(Sampler::new(1000, 0).choose(&[]), 0);
    }

    #[test]
    fn the_seed_decides() {
        let draw = |seed| {
            let mut sampler = Sampler::new(1000, seed);
            let tokens: Vec<u8> = (0..16).map(|_| sampler.choose(&[0; 256])).collect();
            tokens
        };
        // The same everywhere, in this version and in later ones.
        assert_eq!(hex::encode(draw(1)), "7d163e20dd4478078ae0045f04038d88");
        assert_ne!(draw(1), draw(2));
    }

    fn model() -> (Graph, Vec<i16>) {
        let graph = Graph::transformer(&Transformer {
            vocab: 7,
            tokens: 6,
            width: 8,
            heads: 2,
            hidden: 16,
            layers: 1,
            tied: false,
        });
        let weights = (0..graph.parameters() as i32).map(|i| ((i * 7919) % 40_001 - 20_000) as i16);
        let weights = weights.collect();
        (graph, weights)
    }

    /// The token whose loss is least after `context`, by the reference.
    fn likeliest(graph: &Graph, weights: &[i16], context: &[u8]) -> u8 {
        let logits = |filling: u8| {
            let mut record = context.to_vec();
            record.resize(7, filling);
            let samples = Samples::new(6, 7, &record).unwrap();
            Reference.logits(graph, weights, &samples).unwrap().concat()
        };
        let last = (context.len() - 1) * 7..context.len() * 7;
        // What comes later is not seen.
        assert_eq!(logits(0)[last.clone()], logits(5)[last.clone()]);
        evaluator::largest(&logits(0)[last])
    }

    #[test]
    fn the_last_tokens_decide_what_follows() {
        let (graph, weights) = model();
        let mut told = Vec::new();
        let mut tell = |token| told.push(token);
        let mut greedy = Sampler::new(0, 0);
        let text = generate(&graph, &weights, &[1, 2], 9, &mut greedy, &mut tell).unwrap();
        assert_eq!(text, told);
        let whole = [&[1, 2][..], &text].concat();
        for end in 2..whole.len() {
            let context = &whole[end.saturating_sub(6)..end];
            assert_eq!(
                whole[end],
                likeliest(&graph, &weights, context),
                "{whole:?}"
            );
        }
    }

    #[test]
    fn what_is_no_language_model_is_refused() {
        let (graph, weights) = model();
        let mut sampler = Sampler::new(0, 0);
        let mut attempt = |graph: &Graph, weights: &[i16], prompt: &[u8]| {
            generate(graph, weights, prompt, 1, &mut sampler, &mut |_| {}).unwrap_err()
        };
        let mlp = Graph::mlp(&[2, 2]);
        assert_eq!(attempt(&mlp, &[0; 6], &[1]), GenerateError::NoTokens);
        assert_eq!(attempt(&graph, &weights, &[]), GenerateError::EmptyPrompt);
        let unknown = attempt(&graph, &weights, &[7]);
        assert!(matches!(unknown, GenerateError::Evaluation(_)));
        let short = attempt(&graph, &weights[1..], &[1]);
        assert!(matches!(short, GenerateError::Evaluation(_)));
    }
}
