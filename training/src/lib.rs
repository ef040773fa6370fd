//! Local training with Burn: quantisation-aware models built from a task's graph, the data sets
//! they learn from, and the change to the master weights that a contributor submits.
//!
//! Floats live here only. A round scores with the exact machine of `gotong_scoring`; training
//! mimics its rounding, or at least its clamps, so that what improves here improves there.

mod batch;
mod checkpoint;
mod config;
mod cores;
pub mod data;
mod deadline;
mod device;
mod device_check;
mod feedback;
mod initial;
mod model;
pub mod onnx;
mod optimizer;
#[cfg(test)]
mod test_model;
mod train;
mod units;
mod values;
pub mod weights_file;

pub use checkpoint::{Checkpoint, CheckpointSink};
pub use config::{Span, TrainingConfig, TrainingOptions};
pub use deadline::Deadline;
pub use device::{Adapter, DeviceChoice, DeviceError};
pub use device_check::{stock_model, TestedDevice, UnfitDevice};
pub use feedback::{add_residual, compress, residual_decay, usual_keep_permille};
pub use initial::{initial_weights, noise_change};
pub use model::{Rounding, UntrainableGraph};
pub use optimizer::{Memory, Optimizer};
pub use train::{float_loss, train, train_from, Start, Step, Supervisor, Trained, TrainingError};
