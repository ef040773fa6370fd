//! A picture of loss curves.

use anyhow::{anyhow, ensure, Context, Result};
use gotong_data::write_whole;
use plotters::prelude::*;
use std::{io::Write, path::Path};

/// Width and height in pixels.
const SIZE: (u32, u32) = (720, 400);
/// Most numbers below the picture.
const MOST_LABELS: usize = 31;

/// The course of a loss, in bits.
pub struct Curve {
    /// The name of the curve; a picture with a single curve needs none.
    name: String,
    /// The progress, from 0 on, and the loss there.
    points: Vec<(f64, f64)>,
}

impl Curve {
    /// The curve of the losses before the first round and after each one.
    pub fn by_rounds(name: String, losses: &[f64]) -> Self {
        let points = losses.iter().enumerate();
        let points = points.map(|(round, loss)| (round as f64, *loss)).collect();
        Self { name, points }
    }

    /// The curve of losses, each with its time in seconds.
    pub fn by_seconds(name: String, points: Vec<(f64, f64)>) -> Self {
        Self { name, points }
    }
}

/// Draws losses in `unit` against `along`, rounds or seconds, as SVG, under a caption, to a file that is written completely or not
/// at all.
pub fn draw(path: &Path, caption: (&str, &str), along: &str, curves: &[Curve]) -> Result<()> {
    let failed = || format!("cannot draw {}", path.display());
    let drawn = drawn(caption, along, curves).with_context(failed)?;
    write_whole(path, |file| file.write_all(drawn.as_bytes())).with_context(failed)
}

/// The text of the picture.
fn drawn((caption, unit): (&str, &str), along: &str, curves: &[Curve]) -> Result<String> {
    let points = || curves.iter().flat_map(|curve| curve.points.iter().copied());
    ensure!(points().next().is_some(), "there is nothing to draw");
    let highest = points().map(|(_, loss)| loss).fold(0.0, f64::max);
    let last = points().map(|(at, _)| at).fold(1.0, f64::max);
    let mut picture = String::new();
    let area = SVGBackend::with_string(&mut picture, SIZE).into_drawing_area();
    let failed = |error: &dyn std::fmt::Display| anyhow!("{error}");
    area.fill(&WHITE).map_err(|error| failed(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(caption, ("sans-serif", 20))
        .margin(16)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(0.0..last, 0.0..highest * 1.05)
        .map_err(|error| failed(&error))?;
    chart
        .configure_mesh()
        .x_desc(along)
        .y_desc(unit)
        .x_labels((last as usize + 1).min(MOST_LABELS))
        .x_label_formatter(&|at| format!("{at:.0}"))
        .draw()
        .map_err(|error| failed(&error))?;
    for (number, curve) in curves.iter().enumerate() {
        let colour = match curves.len() {
            1 => BLUE.to_rgba(),
            _ => Palette99::pick(number).to_rgba(),
        };
        let points = || curve.points.iter().copied();
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
    area.present().map_err(|error| failed(&error))?;
    drop(chart);
    // It borrows the picture.
    drop(area);
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_picture_is_replaced_and_never_changed_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("loss.svg");
        let reader = folder.path().join("opened-before");
        fs::write(&path, "old").unwrap();
        fs::hard_link(&path, &reader).unwrap();
        let curve = Curve::by_rounds(String::new(), &[3.0, 1.0, 0.5]);
        draw(&path, ("Loss", "bits"), "rounds", &[curve]).unwrap();
        assert_eq!(fs::read_to_string(&reader).unwrap(), "old");
        let picture = fs::read_to_string(&path).unwrap();
        assert!(picture.starts_with("<svg") && picture.trim_end().ends_with("</svg>"));
    }
}
