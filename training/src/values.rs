//! Moves the values of a tensor to a device and back.

use burn::tensor::{Device, Tensor, TensorData};

use super::TrainingError;

/// Whether a tensor of this shape can have these values: the right number of them, and all of them
/// numbers.
pub fn fit(values: &[f32], [rows, columns]: [usize; 2]) -> bool {
    values.len() == rows * columns && values.iter().all(|value| value.is_finite())
}

/// A tensor with these values, row-major.
pub fn load(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// The values of a tensor, row-major.
///
/// # Errors
/// A device whose values cannot be read back; a value that is not a number.
pub fn read(tensor: &Tensor<2>) -> Result<Vec<f32>, TrainingError> {
    let values = tensor.clone().try_into_vec_as::<f32>();
    let values = values.map_err(|error| TrainingError::Device(error.to_string()))?;
    match values.iter().all(|value| value.is_finite()) {
        true => Ok(values),
        false => Err(TrainingError::Diverged),
    }
}
