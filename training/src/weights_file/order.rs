//! Which numbered layer of a file is which of the graph's: `nn.Sequential` counts layers without parameters, too, so that
//! the layers `0`, `2` and `4` are those that a graph has as 0, 1 and 2.

use std::collections::BTreeMap;

use super::{layout::Tensor, names::plain, stored::Tensors, WeightsFileError};

/// Where a tensor stands among numbered layers: what comes before the number, the number, and whether it is a bias.
type Place<'a> = (&'a str, u64, bool);

/// The graph's names for the tensors of a file, by the file's names, if all of them belong to numbered layers under one name, such
/// as `0.weight` or `net.2.bias`, and some to numbers that the graph does not have. Layers are taken in order, and then all of them
/// must have the shapes that they have in the graph.
///
/// # Errors
/// [`WeightsFileError::OtherLayers`].
pub(super) fn in_order(
    expected: &[Tensor],
    stored: &Tensors,
) -> Result<BTreeMap<String, String>, WeightsFileError> {
    let names: Vec<String> = stored.keys().map(|name| plain(name)).collect();
    let is_known = |name: &String| expected.iter().any(|tensor| tensor.name == *name);
    let places: Option<Vec<Place>> = names.iter().map(|name| place(name)).collect();
    let own: Option<Vec<Place>> = expected.iter().map(|own| place(&own.name)).collect();
    let (Some(places), Some(own)) = (places, own) else {
        return Ok(BTreeMap::new());
    };
    let is_one = places.windows(2).all(|pair| pair[0].0 == pair[1].0);
    if !is_one || names.iter().all(is_known) {
        return Ok(BTreeMap::new());
    }
    let mut of_file: Vec<_> = places.into_iter().zip(stored).collect();
    of_file.sort_by_key(|(place, _)| *place);
    let shapes = of_file
        .iter()
        .map(|(place, (_, tensor))| (*place, &tensor.shape));
    let own_shapes = own.into_iter().zip(expected.iter().map(|own| &own.shape));
    if row(shapes) != row(own_shapes) {
        let told = |name: &String, shape: &Vec<usize>| format!("`{name}` {shape:?}");
        let file = of_file
            .iter()
            .map(|(_, (name, own))| told(name, &own.shape));
        let graph = expected.iter().map(|own| told(&own.name, &own.shape));
        return Err(WeightsFileError::OtherLayers {
            file: file.collect(),
            graph: graph.collect(),
        });
    }
    let pairs = of_file.into_iter().zip(expected);
    Ok(pairs
        .map(|((_, (name, _)), own)| (name.clone(), own.name.clone()))
        .collect())
}

/// For each tensor, whether it belongs to the same layer as the one before, whether it is a bias, and its shape.
fn row<'a>(
    tensors: impl Iterator<Item = (Place<'a>, &'a Vec<usize>)>,
) -> Vec<(bool, bool, &'a Vec<usize>)> {
    let mut last = None;
    tensors
        .map(|((_, layer, is_bias), shape)| {
            let is_same = last.replace(layer) == Some(layer);
            (is_same, is_bias, shape)
        })
        .collect()
}

/// The place that a name stands for. A weight comes before its bias.
fn place(name: &str) -> Option<Place<'_>> {
    let (layer, of_it) = name.rsplit_once('.')?;
    let is_bias = match of_it {
        "weight" => false,
        "bias" => true,
        _ => return None,
    };
    let before = layer.trim_end_matches(|character: char| character.is_ascii_digit());
    let number = layer.get(before.len()..)?.parse().ok()?;
    Some((before, number, is_bias))
}
