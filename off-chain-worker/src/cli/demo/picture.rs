//! The loss curve as a picture.

use anyhow::{anyhow, Result};
use plotters::prelude::*;
use std::path::Path;

/// Width and height in pixels.
const SIZE: (u32, u32) = (720, 400);

/// Draws mean loss on unseen images, in bits, against rounds paid, as SVG.
pub fn draw(path: &Path, losses: &[f64]) -> Result<()> {
    let highest = losses.iter().copied().fold(0.0, f64::max);
    let last = losses.len().saturating_sub(1).max(1);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw {}: {error}", path.display());
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(
            "Loss on images that never scored a round",
            ("sans-serif", 20),
        )
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0..last, 0.0..highest * 1.05)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .x_desc("rounds")
        .y_desc("bits per image")
        .x_labels(last + 1)
        .draw()
        .map_err(|error| failed(&error))?;
    let points = || losses.iter().copied().enumerate();
    chart
        .draw_series(LineSeries::new(points(), BLUE.stroke_width(2)))
        .map_err(|error| failed(&error))?;
    chart
        .draw_series(points().map(|point| Circle::new(point, 3, BLUE.filled())))
        .map_err(|error| failed(&error))?;
    area.present().map_err(|error| failed(&error))
}
