//! `gotong generate`: a language model continues a text.

use super::{model_source::ModelSource, output::fixed_point, progress, Globals};
use anyhow::{Context, Result};
use gotong_evaluation::Sampler;
use gotong_training::data::DataSet;
use serde_json::json;
use std::str::FromStr;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong generate --task 0 --prompt 'To be, ' --length 200\n  \
                  gotong generate --model transformer.toml --weights mine.safetensors --prompt 'To be, ' \\\n    \
                  --temperature 0.8 --seed 7\n\n\
                  The same weights, prompt, temperature and seed give the same text on every machine."
)]
pub struct Generate {
    #[command(flatten)]
    model: ModelSource,
    /// The beginning of the text
    #[arg(long, value_name = "TEXT")]
    prompt: String,
    /// Tokens to add
    #[arg(long, default_value_t = 200, value_name = "TOKENS")]
    length: usize,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// The data set whose tokens the model uses [default: those of the task's recipe, else of the data set that fits the model]
    #[arg(long, value_enum)]
    data: Option<DataSet>,
}

/// How to choose the tokens that a model continues with.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SamplingArgs {
    /// Sampling temperature, up to 10: 0 always takes the likeliest token, 1 samples from the model's probabilities [default: 0.8 for a
    /// prompt, 0 for documents]
    #[arg(long)]
    temperature: Option<Temperature>,
    /// Sampling seed [default: 1]
    #[arg(long)]
    seed: Option<u64>,
}

impl SamplingArgs {
    /// Whether any of these options is given.
    pub fn is_given(&self) -> bool {
        self.temperature.is_some() || self.seed.is_some()
    }

    /// The temperature in thousandths; `usual` if none is given.
    pub fn temperature(&self, usual: u32) -> u32 {
        self.temperature.map_or(usual, |asked| asked.0)
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed.unwrap_or(1)
    }

    /// The sampler, at the `usual` temperature in thousandths if none is given.
    pub fn sampler(&self, usual: u32) -> Sampler {
        Sampler::new(self.temperature(usual), self.seed())
    }
}

/// The usual temperature of a continued prompt, in thousandths.
const USUAL: u32 = 800;

/// A temperature in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Temperature(u32);

impl FromStr for Temperature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        fixed_point(text, 3)
            .filter(|thousandths| *thousandths <= 10_000)
            .map(|thousandths| Self(thousandths as u32))
            .ok_or_else(|| {
                format!(
                    "`{text}` is not a number from 0 to 10 with up to three decimals, such as 0.8"
                )
            })
    }
}

pub async fn run(args: Generate, globals: &Globals) -> Result<()> {
    let model = args.model.load(globals).await?;
    let recipe = match args.data {
        Some(set) => DataSet::choose(Some(set), &model.graph)?.recipe()?,
        None => model.recipe(None)?,
    };
    let tokenizer = recipe
        .tokenizer()
        .context("the model does not produce text: choose a language model (`gotong task list`)")?;
    let (graph, weights) = (model.graph, model.weights);
    let prompt = tokenizer.encode(&args.prompt)?;
    let Generate {
        length, sampling, ..
    } = args;
    let mut sampler = sampling.sampler(USUAL);
    let bar = progress::bar(globals.output, "generating", length as u64, "tokens");
    let tokens = tokio::task::spawn_blocking(move || {
        let mut each = |_| bar.inc(1);
        gotong_evaluation::generate(&graph, &weights, &prompt, length, &mut sampler, &mut each)
    })
    .await??;
    let text = tokenizer.decode(&tokens);
    let json = json!({
        "task": args.model.task,
        "prompt": args.prompt,
        "text": text,
        "tokens": tokens.len(),
        "temperature": f64::from(sampling.temperature(USUAL)) / 1000.0,
        "seed": sampling.seed(),
    });
    globals
        .output
        .print(json, || format!("{}{text}", args.prompt));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_asked_for_is_usual() {
        assert_eq!(SamplingArgs::default().sampler(USUAL), Sampler::new(800, 1));
        let asked = SamplingArgs {
            temperature: Some(Temperature(0)),
            seed: Some(7),
        };
        assert_eq!(asked.sampler(USUAL), Sampler::new(0, 7));
        assert!(asked.is_given() && !SamplingArgs::default().is_given());
    }

    #[test]
    fn temperatures_are_decimals() {
        let parse = |text: &str| text.parse::<Temperature>().map(|parsed| parsed.0).ok();
        assert_eq!(parse("0"), Some(0));
        assert_eq!(parse("0.8"), Some(800));
        assert_eq!(parse("1.25"), Some(1250));
        assert_eq!(parse("10"), Some(10_000));
        for wrong in ["", ".5", "1.", "10.001", "-1", "1.2345", "hot"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
