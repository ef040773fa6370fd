//! The data of a contributor to many tasks. It is read in parallel with the look at the blocks, shared by tasks that use the same
//! data, and bounded.

use super::{SampleSource, TrainingDataError};
use gotong_data::Recipe;
use gotong_protocol::Graph;
use gotong_training::data::{Labelled, Part};
use std::{
    sync::{
        mpsc::{channel, Receiver, TryRecvError},
        Arc, Weak,
    },
    thread,
};

/// The training data, by recipe and length of a sample. Each set is shared by the tasks that train on it, and dropped with the last
/// of them. One set is read at a time.
pub(super) struct TrainingData {
    samples: SampleSource,
    part: Part,
    /// Bytes that all sets together may take.
    most_bytes: u64,
    held: Vec<(Made, Weak<Labelled>)>,
    reading: Option<Reading>,
}

/// What determines the samples of a set.
#[derive(Clone, PartialEq)]
struct Made {
    recipe: Recipe,
    inputs: u32,
}

/// Data that is being read, or that nobody has fetched yet.
struct Reading {
    made: Made,
    data: Receiver<Result<Labelled, TrainingDataError>>,
    /// Whether somebody has asked for it since the last [`TrainingData::tidy`].
    is_wanted: bool,
}

impl TrainingData {
    /// The part of these samples, in at most `most_bytes` for all tasks together.
    pub fn new(samples: SampleSource, part: Part, most_bytes: u64) -> Self {
        Self {
            samples,
            part,
            most_bytes,
            held: Vec::new(),
            reading: None,
        }
    }

    /// The data for a task with this model and this recipe. `None` while it is being read, or has to wait until other data has been
    /// read. This function itself never waits: ask again.
    ///
    /// # Errors
    /// Fails if there is no data for this task here, or no room for it.
    pub fn of(
        &mut self,
        graph: &Graph,
        recipe: Option<&Recipe>,
    ) -> Result<Option<Arc<Labelled>>, TrainingDataError> {
        let made = Made {
            recipe: self.samples.recipe(graph, recipe)?,
            inputs: graph.inputs,
        };
        let held = self.held.iter().find(|(held, _)| *held == made);
        if let Some(data) = held.and_then(|(_, data)| data.upgrade()) {
            return Ok(Some(data));
        }
        let Some(reading) = &mut self.reading else {
            self.reading = Some(self.read(graph.clone(), made));
            return Ok(None);
        };
        if reading.made != made {
            return Ok(None);
        }
        reading.is_wanted = true;
        let read = match reading.data.try_recv() {
            Err(TryRecvError::Empty) => return Ok(None),
            Err(TryRecvError::Disconnected) => Err(TrainingDataError::Aborted),
            Ok(read) => read,
        };
        self.reading = None;
        let data = Arc::new(read?);
        self.held.push((made, Arc::downgrade(&data)));
        Ok(Some(data))
    }

    /// Forgets data that nobody trains on any more, and data for tasks that have not asked for it since the last time.
    pub fn tidy(&mut self) {
        self.held.retain(|(_, data)| data.strong_count() > 0);
        let is_left = |reading: &mut Reading| {
            let was_wanted = std::mem::take(&mut reading.is_wanted);
            // A set that is still being read continues, so that no two sets are read at a time.
            !was_wanted && !matches!(reading.data.try_recv(), Err(TryRecvError::Empty))
        };
        drop(self.reading.take_if(is_left));
    }

    /// Reads the data in a thread of its own, which ends with the program, in as much room as is left.
    fn read(&self, graph: Graph, made: Made) -> Reading {
        let (tell, data) = channel();
        let (samples, part) = (self.samples.clone(), self.part);
        let (recipe, left) = (made.recipe.clone(), self.left());
        let work = move || {
            // Nobody waits any more if the task is over.
            let _ = tell.send(samples.load(&graph, &recipe, part, left));
        };
        if let Err(error) = thread::Builder::new().name("data".into()).spawn(work) {
            // The next caller that asks for the data gets the error.
            tracing::error!("cannot start a thread to read data: {error}");
        }
        Reading {
            made,
            data,
            is_wanted: true,
        }
    }

    /// Bytes that are left for other data.
    fn left(&self) -> u64 {
        let held = self.held.iter().filter_map(|(_, data)| data.upgrade());
        let bytes = held.map(|data| (data.pixels.len() + data.labels.len()) as u64);
        self.most_bytes.saturating_sub(bytes.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gotong_data::SourceOptions;
    use std::{
        fs,
        time::{Duration, Instant},
    };

    /// Four rows of two columns, either of which a recipe may take.
    const CSV: &str = "petal,stem,species\n1,2,iris\n3,4,iris\n5,6,rose\n7,8,rose\n";
    /// What the rows take if a recipe takes one of the columns.
    const BYTES: u64 = 8;

    fn recipe(column: &str) -> Recipe {
        let text = format!(
            "kind = \"table\"\n[label]\ncolumn = \"species\"\nclasses = [\"iris\", \"rose\"]\n\
             [[columns]]\nname = \"{column}\"\nlow = 0.0\nhigh = 255.0\nmissing = 0\n"
        );
        Recipe::parse(&text).unwrap()
    }

    fn data(folder: &tempfile::TempDir, most_bytes: u64) -> TrainingData {
        let file = folder.path().join("flowers.csv");
        fs::write(&file, CSV).unwrap();
        let samples = SampleSource::Own {
            files: vec![file],
            options: SourceOptions::default(),
        };
        TrainingData::new(samples, Part::WHOLE, most_bytes)
    }

    /// Asks until there is an answer.
    fn wait(data: &mut TrainingData, recipe: &Recipe) -> Result<Arc<Labelled>, TrainingDataError> {
        let begun = Instant::now();
        loop {
            if let Some(data) = data.of(&Graph::mlp(&[1, 2]), Some(recipe))? {
                return Ok(data);
            }
            assert!(begun.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn nobody_waits_for_data_and_equal_recipes_share_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut data = data(&folder, BYTES);
        let graph = Graph::mlp(&[1, 2]);
        let first = data.of(&graph, Some(&recipe("petal")));
        assert!(first.unwrap().is_none(), "it is read beside the tick");
        let first = wait(&mut data, &recipe("petal")).unwrap();
        let second = data.of(&graph, Some(&recipe("petal"))).unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(data.reading.is_none());
    }

    #[test]
    fn all_data_is_bounded_together_and_goes_with_those_who_train_on_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut data = data(&folder, 2 * BYTES - 1);
        let first = wait(&mut data, &recipe("petal")).unwrap();
        data.tidy();
        let second = wait(&mut data, &recipe("stem"));
        assert!(matches!(second, Err(TrainingDataError::TooLarge { .. })));
        drop(first);
        data.tidy();
        assert!(data.held.is_empty());
        assert_eq!(data.left(), 2 * BYTES - 1);
        wait(&mut data, &recipe("stem")).unwrap();
    }

    #[test]
    fn what_was_read_for_a_task_that_is_over_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut data = data(&folder, BYTES);
        let began = data.of(&Graph::mlp(&[1, 2]), Some(&recipe("petal")));
        assert!(began.unwrap().is_none());
        let begun = Instant::now();
        while data.reading.is_some() {
            data.tidy();
            assert!(begun.elapsed() < Duration::from_secs(60));
            thread::sleep(Duration::from_millis(1));
        }
        wait(&mut data, &recipe("stem")).unwrap();
    }
}
