//! `Im2col`, `MaxPool`, `SumPool` and `Flatten`: images and windows over them.

use burn::tensor::{Int, Tensor, TensorData};
use gotong_scoring::{Image, Window};

use super::{Output, Pass};

/// The pixels of every place, in a row.
pub(super) fn im2col(input: Output, pass: &Pass, image: &Image, window: &Window) -> Output {
    let taken = taken(input, pass, image, window);
    let [places, pixels, channels] = taken.dims();
    Output::Rows(taken.reshape([places, pixels * channels]))
}

/// The largest pixel of every place, channel by channel.
pub(super) fn max_pool(input: Output, pass: &Pass, image: &Image, window: &Window) -> Output {
    let taken = taken(input, pass, image, window);
    Output::Rows(taken.max_dim(1).squeeze_dim(1))
}

/// The sum of the pixels of every place, channel by channel.
pub(super) fn sum_pool(input: Output, pass: &Pass, image: &Image, window: &Window) -> Output {
    let sums = taken(input, pass, image, window).sum_dim(1);
    Output::Rows(sums.squeeze_dim(1).mul_scalar(pass.factor()))
}

/// All rows of a sample as one.
pub(super) fn flatten(input: Output, pass: &Pass) -> Output {
    Output::Rows(input.rows().reshape([pass.samples() as i64, -1]))
}

/// The pixels of every place of a window, `[samples * places, pixels, channels]`; padding is 0.
fn taken(input: Output, pass: &Pass, image: &Image, window: &Window) -> Tensor<3> {
    let (rows, samples) = (input.rows(), pass.samples());
    let (pixels, channels) = (image.pixels() as usize, image.channels as usize);
    let device = rows.device();
    let table: Vec<i32> = window
        .table(image)
        .iter()
        .map(|&pixel| pixel as i32)
        .collect();
    let (count, of_a_place) = (table.len(), window.pixels() as usize);
    let table = Tensor::<1, Int>::from_data(TensorData::new(table, [count]), &device);
    let padding = Tensor::zeros([samples, 1, channels], &device);
    let padded = Tensor::cat(vec![rows.reshape([samples, pixels, channels]), padding], 1);
    padded
        .select(1, table)
        .reshape([samples * count / of_a_place, of_a_place, channels])
}
