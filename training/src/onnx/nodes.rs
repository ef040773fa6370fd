//! Nodes and constants of a graph that is being built.

use super::message::{AttributeProto, NodeProto, TensorProto, FLOAT, INT, INT64, INTS};

/// Nodes and constants, each under a name of its own.
#[derive(Default)]
pub struct Nodes {
    /// The nodes, each after those that it takes from.
    pub nodes: Vec<NodeProto>,
    /// The constants.
    pub constants: Vec<TensorProto>,
}

impl Nodes {
    /// Adds an operator; returns the name of its output.
    pub fn add(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: impl IntoIterator<Item = AttributeProto>,
    ) -> String {
        let name = format!("{}.{}", self.nodes.len(), operator.to_lowercase());
        self.add_named(&name, operator, inputs, attributes);
        name
    }

    /// Adds an operator whose output has this name.
    pub fn add_named(
        &mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        attributes: impl IntoIterator<Item = AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: operator.to_owned(),
            attribute: attributes.into_iter().collect(),
        });
    }

    /// Whether there is a constant of this name.
    pub fn has(&self, name: &str) -> bool {
        self.constants.iter().any(|constant| constant.name == name)
    }

    /// Adds a constant with a name that no other has.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: impl Iterator<Item = f32>) {
        self.constants.push(TensorProto {
            dims: shape.iter().map(|side| *side as i64).collect(),
            data_type: FLOAT,
            name: name.to_owned(),
            raw_data: values.flat_map(f32::to_le_bytes).collect(),
        });
    }

    /// Adds a constant number; returns its name.
    pub fn number(&mut self, value: f32) -> String {
        let name = self.next_constant();
        self.floats(&name, &[], std::iter::once(value));
        name
    }

    /// Adds a constant list of whole numbers; returns its name.
    pub fn list(&mut self, values: &[i64]) -> String {
        let name = self.next_constant();
        self.constants.push(TensorProto {
            dims: vec![values.len() as i64],
            data_type: INT64,
            name: name.clone(),
            raw_data: values.iter().copied().flat_map(i64::to_le_bytes).collect(),
        });
        name
    }

    fn next_constant(&self) -> String {
        format!("constant.{}", self.constants.len())
    }

    /// The same values in another shape, in which 0 stands for the same side of the old shape.
    pub fn reshape(&mut self, value: &str, shape: &[i64]) -> String {
        let shape = self.list(shape);
        self.add("Reshape", &[value, &shape], [])
    }

    /// The same values with their sides in this order.
    pub fn transpose(&mut self, value: &str, order: &[i64]) -> String {
        self.add("Transpose", &[value], [integers("perm", order)])
    }

    /// The values times a constant.
    pub fn scale(&mut self, value: &str, by: f32) -> String {
        if by == 1.0 {
            return value.to_owned();
        }
        let by = self.number(by);
        self.add("Mul", &[value, &by], [])
    }

    /// The values within `-bound..=bound`.
    pub fn clip(&mut self, value: &str, bound: f32) -> String {
        let (least, most) = (self.number(-bound), self.number(bound));
        self.add("Clip", &[value, &least, &most], [])
    }
}

/// An attribute that is a number.
pub fn integer(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: Some(value),
        ints: Vec::new(),
        r#type: INT,
    }
}

/// An attribute that is a list of numbers.
pub fn integers(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto {
        name: name.to_owned(),
        i: None,
        ints: values.to_vec(),
        r#type: INTS,
    }
}
