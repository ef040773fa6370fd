//! Curves of losses as a picture.

use anyhow::{anyhow, ensure, Result};
use plotters::prelude::*;
use std::path::Path;

/// Width and height in pixels.
const SIZE: (u32, u32) = (720, 400);

/// A loss in bits after so many rounds, from 0 on.
pub struct Curve {
    /// What it is of; a picture of one curve needs no name.
    pub name: String,
    /// The losses.
    pub losses: Vec<f64>,
}

/// Draws losses in `unit` against rounds, as SVG, under a caption.
pub fn draw(path: &Path, (caption, unit): (&str, &str), curves: &[Curve]) -> Result<()> {
    let losses = || curves.iter().flat_map(|curve| curve.losses.iter().copied());
    ensure!(losses().next().is_some(), "there is nothing to draw");
    let highest = losses().fold(0.0, f64::max);
    let rounds = curves.iter().map(|curve| curve.losses.len()).max();
    let last = rounds.unwrap_or(0).saturating_sub(1).max(1);
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
    for (number, curve) in curves.iter().enumerate() {
        let colour = match curves.len() {
            1 => BLUE.to_rgba(),
            _ => Palette99::pick(number).to_rgba(),
        };
        let points = || curve.losses.iter().copied().enumerate();
        let line = chart
            .draw_series(LineSeries::new(points(), colour.stroke_width(2)))
            .map_err(|error| failed(&error))?;
        if curves.len() > 1 {
            line.label(&curve.name).legend(move |(x, y)| {
                PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2))
            });
        }
        chart
            .draw_series(points().map(|point| Circle::new(point, 3, colour.filled())))
            .map_err(|error| failed(&error))?;
    }
    if curves.len() > 1 {
        chart
            .configure_series_labels()
            .border_style(BLACK)
            .background_style(WHITE)
            .draw()
            .map_err(|error| failed(&error))?;
    }
    area.present().map_err(|error| failed(&error))
}
