//! The float twin while it is being built.

use std::{collections::BTreeMap, vec::IntoIter};

use gotong_scoring::{weights::view, Flow, Graph, Op};

use super::{
    super::{
        units::{steps, Role, LOGIT_STEPS, VIEW_STEPS},
        weights_file::{tensors_of, Tensor},
    },
    nodes::Nodes,
    value::{Layout, Value},
    LOGITS,
};

/// The float twin while it is being built: what the current op knows besides its input.
pub struct Twin<'a> {
    /// What has been built so far.
    pub nodes: Nodes,
    /// The current op.
    pub op: usize,
    graph: &'a Graph,
    /// What every op gives on the machine.
    flows: Vec<Flow>,
    /// How many of the machine's steps make 1.0, for what every op gives.
    steps: Vec<f32>,
    master: &'a [i16],
    /// Parameters that earlier ops have taken.
    taken: usize,
    tensors: IntoIter<Tensor>,
    /// What ops gave that later ones take.
    kept: BTreeMap<u32, Value>,
    /// The values of every head for attention, by the op whose rows they are in.
    values: BTreeMap<u32, String>,
}

impl<'a> Twin<'a> {
    /// The twin of a valid graph whose ops give these flows, with as many weights as it has parameters.
    pub fn new(graph: &'a Graph, flows: Vec<Flow>, master: &'a [i16]) -> Self {
        Self {
            nodes: Nodes::default(),
            op: 0,
            graph,
            flows,
            steps: steps(graph),
            master,
            taken: 0,
            tensors: tensors_of(graph).into_iter(),
            kept: BTreeMap::new(),
            values: BTreeMap::new(),
        }
    }

    /// What the current op gives, under this name.
    pub fn given(&self, name: String, layout: Layout) -> Value {
        let flow = self.flows[self.op];
        Value {
            name,
            layout,
            rows: flow.tokens,
            width: flow.width,
        }
    }

    /// The op after the current one.
    pub fn next_op(&self) -> Option<&Op> {
        self.graph.ops.get(self.op + 1)
    }

    /// How many steps of what the current op gives make 1.0.
    pub fn steps(&self) -> f32 {
        self.steps[self.op]
    }

    /// How many steps of what op number `op` gives make 1.0; 1 if there is none.
    pub fn steps_of(&self, op: Option<usize>) -> f32 {
        op.and_then(|op| self.steps.get(op)).copied().unwrap_or(1.0)
    }

    /// How many steps of what the current op takes make 1.0.
    pub fn steps_taken(&self) -> f32 {
        self.steps_of(self.op.checked_sub(1))
    }

    /// Keeps what the current op gave, if a later one takes it.
    pub fn keep(&mut self, value: &Value) {
        let op = self.op as u32;
        if self.graph.is_taken_later(op) {
            self.kept.insert(op, value.clone());
        }
    }

    /// What an earlier op gave.
    pub fn earlier(&self, from: u32) -> Option<&Value> {
        self.kept.get(&from)
    }

    /// Keeps the values of every head from what the op before the current one gave.
    pub fn keep_values(&mut self, values: String) {
        let before = self.op.saturating_sub(1);
        self.values.insert(before as u32, values);
    }

    /// The values of every head from what an earlier op gave.
    pub fn values(&self, from: u32) -> Option<String> {
        self.values.get(&from).cloned()
    }

    /// The next weights in real units, as a constant with their own name and shape: those of linear ops are the machine's int8
    /// view. Returns the name.
    pub fn next_weights(&mut self) -> Option<String> {
        let tensor = self.tensors.next()?;
        let master = self.master;
        let own = &master[self.taken..][..tensor.count()];
        self.taken += own.len();
        let real = tensor.in_file(own).map(|master| match tensor.role {
            Role::Weight => f32::from(view(master)) / VIEW_STEPS,
            _ => f32::from(master) / tensor.steps,
        });
        self.nodes.floats(&tensor.name, &tensor.shape, real);
        Some(tensor.name)
    }

    /// The view of the embedding's tokens, `[vocab, width]`, which the head shares.
    pub fn tied_head(&mut self, vocab: u32, width: u32) -> String {
        const NAME: &str = "head.weight";
        if !self.nodes.has(NAME) {
            let shape = [vocab as usize, width as usize];
            let master = self.master;
            let tokens = master[..shape[0] * shape[1]].iter();
            let real = tokens.map(|master| f32::from(view(*master)) / VIEW_STEPS);
            self.nodes.floats(NAME, &shape, real);
        }
        NAME.to_owned()
    }

    /// `[tokens, tokens]`: 0 for a token itself and those before it, and for later ones a number so low that no share is left.
    pub fn mask(&mut self, tokens: u32) -> String {
        const HIDDEN: f32 = -1e4;
        let name = format!("later_of_{tokens}");
        if !self.nodes.has(&name) {
            let hidden = |token: u32, other: u32| if other > token { HIDDEN } else { 0.0 };
            let of_token = |token: u32| (0..tokens).map(move |other| hidden(token, other));
            let side = tokens as usize;
            let values = (0..tokens).flat_map(of_token);
            self.nodes.floats(&name, &[side, side], values);
        }
        name
    }

    /// What a loss takes, in natural units.
    pub fn logits(&mut self, input: Value) -> Value {
        let rows = input.as_rows(&mut self.nodes);
        let unit = natural(self.steps_taken());
        let unit = self.nodes.number(unit);
        self.nodes.add_named(LOGITS, "Mul", &[&rows, &unit], []);
        Value {
            name: LOGITS.to_owned(),
            layout: Layout::Rows,
            ..input
        }
    }
}

/// What 1.0 is in natural units, if the machine has `steps` steps in 1.0 and a step is 1/64 log2 unit.
pub fn natural(steps: f32) -> f32 {
    steps / LOGIT_STEPS * std::f32::consts::LN_2
}
