//! The loss curve as a picture.

use super::exam::Mark;
use anyhow::{anyhow, Context, Result};
use plotters::prelude::*;
use std::path::Path;

/// Width and height in pixels.
const SIZE: (u32, u32) = (720, 400);

/// Draws the loss on unseen samples, in bits, against rounds, as SVG.
pub fn draw(path: &Path, marks: &[Mark]) -> Result<()> {
    let (caption, unit) = marks.first().context("there is nothing to draw")?.caption();
    let losses: Vec<f64> = marks.iter().map(|mark| mark.loss()).collect();
    let highest = losses.iter().copied().fold(0.0, f64::max);
    let last = losses.len().saturating_sub(1).max(1);
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("cannot draw {}: {error}", path.display());
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(caption, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0..last, 0.0..highest * 1.05)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .x_desc("rounds")
        .y_desc(unit)
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
