//! `gotong predict`: what a model says about rows of data, evaluated exactly.

mod predictor;
mod sheet;

use super::{
    data_options::ReadingArgs,
    generate::SamplingArgs,
    model_source::ModelSource,
    output::{tell, Format},
    progress,
    training::at_least_one,
    Globals,
};
use anyhow::{ensure, Context, Result};
use gotong_data::write_whole;
use indicatif::ProgressBar;
use predictor::{Continuation, Predictor, Summary};
use sheet::{Sheet, SheetFormat, Unread};
use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  gotong predict --task 0 --data new.csv --out predicted.csv\n  \
                  gotong predict --model mlp:4,16,3 --weights mine.safetensors --recipe recipe.toml --data new.csv\n  \
                  gotong predict --task 1 --data letter.txt --out tokens.jsonl\n  \
                  gotong predict --task 1 --data letter.txt --length 200 --out continued.jsonl\n\n\
                  Writes a line for each row of a table, each array or each image: the class and the probability of every \
                  class, which is the softmax of the exact machine's logits. Labels are optional; it reports the mean loss and \
                  accuracy of the rows that have one. For text, it writes the loss of every token except a document's first, and \
                  the token that the model found likeliest; with `--length`, an extra row after each document holds the model's continuation."
)]
pub struct Predict {
    #[command(flatten)]
    model: ModelSource,
    /// The rows: a table, text, arrays, images or records, in one or more files of one format
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The recipe that turns rows into samples [default: the task's recipe, else that of the data set that fits the model]
    #[arg(long, value_name = "FILE.toml")]
    recipe: Option<PathBuf>,
    /// Tokens to generate after each text document
    #[arg(long, value_name = "TOKENS", value_parser = at_least_one)]
    length: Option<usize>,
    #[command(flatten)]
    sampling: SamplingArgs,
    /// The file to write, .csv or .jsonl; without it, rows are printed as CSV or, with `--output json`, as JSON lines
    #[arg(long, value_name = "FILE.csv|FILE.jsonl")]
    out: Option<PathBuf>,
}

/// The temperature at which the likeliest token is always taken.
const LIKELIEST: u32 = 0;

pub async fn run(args: Predict, globals: &Globals) -> Result<()> {
    let written = args.out.as_deref().map(SheetFormat::of).transpose()?;
    ensure!(
        args.length.is_some() || !args.sampling.is_given(),
        "--temperature and --seed apply to a continuation: give --length too"
    );
    let model = args.model.load(globals).await?;
    ensure!(
        args.length.is_none() || model.graph.vocab().is_some(),
        "--length is for text, but the model does not produce text: leave it out"
    );
    let continuation = args.length.map(|length| Continuation {
        length,
        sampler: args.sampling.sampler(LIKELIEST),
    });
    let recipe = model.recipe(args.recipe.as_deref())?;
    let source = args.reading.open(&args.data)?;
    let (out, output) = (args.out.clone(), globals.output);
    let is_shown = out.is_none() && io::stdout().is_terminal();
    // Rows on the screen are progress enough.
    let bar = match is_shown {
        true => ProgressBar::hidden(),
        false => progress::rows(output, "predicting", &source),
    };
    let predict = move || -> Result<Summary> {
        let predictor = Predictor {
            graph: &model.graph,
            weights: &model.weights,
            recipe: &recipe,
            source: &source,
            continuation,
            bar,
        };
        match (&out, written) {
            (Some(path), Some(format)) => {
                let written = write_whole(path, |file| predictor.write(Sheet::new(format, file)));
                written.with_context(|| path.display().to_string())
            }
            _ => {
                let format = match output {
                    Format::Text => SheetFormat::Csv,
                    Format::Json => SheetFormat::JsonLines,
                };
                predictor.write(Sheet::new(format, Unread(io::stdout())).shown(is_shown))
            }
        }
    };
    let summary = tokio::task::spawn_blocking(predict).await??;
    match &args.out {
        Some(path) => globals.output.print(summary.json(path), || {
            format!("{}: {}", path.display(), summary.text())
        }),
        // Standard output has the rows, and nothing else.
        None => tell(summary.text()),
    }
    Ok(())
}
