//! A task's recipe, which says how data becomes the bytes of a sample. The chain has its hash and length. Its bytes are in the
//! block that opened the task and, once they have been fetched, on disk.

use super::ReplicaError;
use crate::{
    chain::{ChainError, Client},
    run::WorkerDirs,
    state::{Folder, StateError},
};
use gotong_protocol::{view::TaskView, TaskId, TaskTerms};

/// Finds a task's recipe without rebuilding the task; `None` if it has none. The recipe is fetched once: from then on, every task
/// with the same recipe finds it in the worker's folder.
pub async fn task_recipe(
    client: &Client,
    dirs: &WorkerDirs,
    task: &TaskView,
) -> Result<Option<String>, ReplicaError> {
    let bytes = bytes(client, dirs, task).await?;
    Ok(text(task.id, &bytes)?.map(String::from))
}

/// The bytes of a task's recipe, which may not be text; no bytes if the task has no recipe.
async fn bytes(
    client: &Client,
    dirs: &WorkerDirs,
    task: &TaskView,
) -> Result<Vec<u8>, ReplicaError> {
    if !task.terms.has_recipe() {
        return Ok(Vec::new());
    }
    let kept = KeptRecipes::open(&dirs.folder)?;
    if let Some(bytes) = kept.find(&task.terms) {
        return Ok(bytes);
    }
    let body = client.body(task.opened_at).await?;
    let (terms, graph) = (task.terms.clone(), task.graph.clone());
    let found = tokio::task::spawn_blocking(move || body.recipe(&terms, &graph));
    let missing = || ChainError::Missing {
        what: format!("the recipe of task {}", task.id),
        block: task.opened_at,
    };
    let bytes = found.await?.ok_or_else(missing)?;
    kept.keep(&task.terms, &bytes)?;
    Ok(bytes)
}

/// The recipe as text; `None` if it has no bytes.
fn text(task: TaskId, bytes: &[u8]) -> Result<Option<&str>, ReplicaError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(source) => Err(ReplicaError::Recipe { task, source }),
    }
}

/// Recipes that were fetched before, each in a file named by its hash.
struct KeptRecipes(Folder);

impl KeptRecipes {
    fn open(folder: &Folder) -> Result<Self, StateError> {
        folder.sub("recipes").map(Self)
    }

    /// The recipe of these terms, if it is here. A damaged file counts as none.
    fn find(&self, terms: &TaskTerms) -> Option<Vec<u8>> {
        let kept: Result<Option<Vec<u8>>, StateError> = self.0.load(&Self::name(terms));
        let kept = kept.unwrap_or_else(|error| {
            tracing::warn!("a recipe is fetched again: {error}");
            None
        });
        kept.filter(|bytes| terms.check_recipe(bytes).is_ok())
    }

    fn keep(&self, terms: &TaskTerms, bytes: &[u8]) -> Result<(), StateError> {
        self.0.save(&Self::name(terms), &bytes)
    }

    fn name(terms: &TaskTerms) -> String {
        hex::encode(terms.recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::views;

    const RECIPE: &[u8] = b"kind = \"bytes\"";

    #[test]
    fn a_recipe_is_found_again_by_its_hash() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let terms = views::task().terms.with_recipe(RECIPE);
        let kept = KeptRecipes::open(&folder).unwrap();
        assert_eq!(kept.find(&terms), None);
        kept.keep(&terms, RECIPE).unwrap();

        let kept = KeptRecipes::open(&folder).unwrap();
        assert_eq!(kept.find(&terms).as_deref(), Some(RECIPE));
        let other = views::task().terms.with_recipe(b"kind = \"other\"");
        assert_eq!(kept.find(&other), None);
    }

    #[test]
    fn a_file_that_is_damaged_counts_as_none() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Folder::open(temporary.path()).unwrap();
        let terms = views::task().terms.with_recipe(RECIPE);
        let kept = KeptRecipes::open(&folder).unwrap();
        kept.keep(&terms, b"kind = \"wrong\"").unwrap();
        assert_eq!(kept.find(&terms), None);
        let file = kept.0.path().join(KeptRecipes::name(&terms));
        std::fs::write(file, [0]).unwrap();
        assert_eq!(kept.find(&terms), None);
    }

    #[test]
    fn what_is_no_text_is_told_and_not_taken_for_none() {
        let task = TaskId(7);
        assert!(matches!(text(task, b""), Ok(None)));
        assert_eq!(text(task, b"a = 1").unwrap(), Some("a = 1"));
        let refused = text(task, &[b'a', 0xff]);
        assert!(matches!(
            refused,
            Err(ReplicaError::Recipe {
                task: TaskId(7),
                ..
            })
        ));
    }
}
