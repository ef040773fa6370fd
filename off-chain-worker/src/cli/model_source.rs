//! Which model a command uses: a task's as it is now, or one from files.

use super::{
    weights::{self, replay},
    Globals,
};
use crate::{model::Model, run::task_recipe};
use anyhow::{Context, Result};
use gotong_data::Recipe;
use gotong_protocol::{view::TaskView, Graph, TaskId};
use gotong_training::data::DataSet;
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Which model to use.
#[derive(Debug, clap::Args)]
pub struct ModelSource {
    /// The task whose model to use, with its current weights
    #[arg(long, required_unless_present = "model")]
    pub task: Option<u32>,
    /// A model that belongs to no task, written as in `gotong task open`
    #[arg(long, requires = "weights", conflicts_with = "task")]
    model: Option<Model>,
    /// Weights to use instead of the task's
    #[arg(long, value_name = "FILE.safetensors")]
    weights: Option<PathBuf>,
}

/// A model with its weights.
pub struct LoadedModel {
    /// The architecture.
    pub graph: Graph,
    /// Master weights, in the machine's order.
    pub weights: Vec<i16>,
    /// The task's recipe, if it has one.
    recipe: Option<Recipe>,
}

impl ModelSource {
    /// The model and its weights.
    pub async fn load(&self, globals: &Globals) -> Result<LoadedModel> {
        let (graph, recipe) = match (&self.model, self.task) {
            (Some(model), _) => (model.0.clone(), None),
            (None, Some(task)) if self.weights.is_none() => {
                let (view, replica) = replay(TaskId(task), globals).await?;
                return Ok(LoadedModel {
                    graph: replica.graph().clone(),
                    weights: replica.weights().to_vec(),
                    recipe: recipe_of(&view, globals).await?,
                });
            }
            (None, task) => {
                let task = TaskId(task.context("give --task or --model")?);
                let view = globals
                    .client()
                    .await?
                    .best()
                    .await?
                    .existing_task(task)
                    .await?;
                let recipe = recipe_of(&view, globals).await?;
                (view.graph, recipe)
            }
        };
        let path = self.weights.as_ref().context("--model needs --weights")?;
        let weights = weights::read(path, &graph)?;
        Ok(LoadedModel {
            graph,
            weights,
            recipe,
        })
    }
}

/// The task's recipe, if it has one.
async fn recipe_of(task: &TaskView, globals: &Globals) -> Result<Option<Recipe>> {
    let client = globals.client().await?;
    let recipe = task_recipe(&client, &globals.dirs()?, task).await?;
    Ok(recipe.as_deref().map(Recipe::parse).transpose()?)
}

impl LoadedModel {
    /// The recipe that makes its samples: the one in this file, or else the task's, or else that of the data set that the model is
    /// made for.
    pub fn recipe(&self, file: Option<&Path>) -> Result<Recipe> {
        let recipe = match (file, &self.recipe) {
            (Some(path), _) => {
                let name = || path.display().to_string();
                let text = fs::read_to_string(path).with_context(name)?;
                Recipe::parse(&text).with_context(name)?
            }
            (None, Some(recipe)) => recipe.clone(),
            (None, None) => {
                let set = DataSet::choose(None, &self.graph);
                set.context("the model has no recipe: give --recipe FILE.toml")?
                    .recipe()?
            }
        };
        recipe.check(&self.graph)?;
        Ok(recipe)
    }
}
