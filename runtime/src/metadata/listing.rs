//! What a runtime is made of, as lines of text: a change appears as a line that is gone or new.

use crate::VERSION;
use frame_metadata::v16::{
    FunctionParamMetadata, RuntimeMetadataV16, StorageEntryModifier, StorageEntryType,
};
use scale_info::{form::PortableForm, Field, PortableRegistry, TypeDef, TypeDefPrimitive};
use std::{collections::BTreeSet, fmt, str::FromStr};

/// The heading of the lines of the first kind.
const TRANSACTIONS: &str = "# What transactions are made of";
/// The heading of the lines of the second kind.
const OTHERS: &str = "# Everything else";

/// What a runtime is made of.
#[derive(Debug, PartialEq, Eq)]
pub struct Listing {
    /// `spec_version` of the runtime.
    pub spec_version: u32,
    /// `transaction_version` of the runtime.
    pub transaction_version: u32,
    /// Extensions, calls, and all types that are in them.
    transactions: BTreeSet<String>,
    /// Storage, constants, events, errors, views and runtime APIs, with their types.
    others: BTreeSet<String>,
}

/// How two listings differ.
#[derive(Debug)]
pub struct Changes {
    /// Lines about transactions that are gone. New calls leave the bytes of the others as they
    /// were.
    pub gone_from_transactions: Vec<String>,
    /// All lines that are gone, after a minus, and new, after a plus.
    pub all: Vec<String>,
}

impl Listing {
    /// The listing of this runtime, from its metadata.
    pub fn of(metadata: &RuntimeMetadataV16) -> Self {
        let mut transactions = Lines::new(&metadata.types);
        transactions.add_transactions(metadata);
        let mut others = Lines::new(&metadata.types);
        others.add_others(metadata);
        let (transactions, others) = (transactions.define(), others.define());
        Self {
            spec_version: VERSION.spec_version,
            transaction_version: VERSION.transaction_version,
            others: &others - &transactions,
            transactions,
        }
    }

    /// What changes from this one to `later`.
    pub fn changes(&self, later: &Self) -> Changes {
        let before = &self.transactions | &self.others;
        let after = &later.transactions | &later.others;
        let gone = (&before - &after)
            .into_iter()
            .map(|line| format!("- {line}"));
        let new = (&after - &before)
            .into_iter()
            .map(|line| format!("+ {line}"));
        Changes {
            gone_from_transactions: (&self.transactions - &later.transactions)
                .into_iter()
                .collect(),
            all: gone.chain(new).collect(),
        }
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "spec_version {}", self.spec_version)?;
        writeln!(f, "transaction_version {}", self.transaction_version)?;
        let sections = [(TRANSACTIONS, &self.transactions), (OTHERS, &self.others)];
        for (title, lines) in sections {
            writeln!(f, "\n{title}")?;
            for line in lines {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Listing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (head, rest) = text.split_once(TRANSACTIONS).ok_or("no transactions")?;
        let (transactions, others) = rest.split_once(OTHERS).ok_or("nothing else")?;
        let version = |name: &str| {
            let mut lines = head.lines();
            let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            let number = found.and_then(|number| number.parse::<u32>().ok());
            number.ok_or_else(|| format!("no {name}"))
        };
        let lines = |section: &str| -> BTreeSet<String> {
            let lines = section.lines().filter(|line| !line.is_empty());
            lines.map(str::to_owned).collect()
        };
        Ok(Self {
            spec_version: version("spec_version")?,
            transaction_version: version("transaction_version")?,
            transactions: lines(transactions),
            others: lines(others),
        })
    }
}

/// Lines, and the types that are named in them.
struct Lines<'a> {
    types: &'a PortableRegistry,
    lines: BTreeSet<String>,
    named: Vec<u32>,
}

impl<'a> Lines<'a> {
    fn new(types: &'a PortableRegistry) -> Self {
        Self {
            types,
            lines: BTreeSet::new(),
            named: Vec::new(),
        }
    }

    fn add(&mut self, line: String) {
        self.lines.insert(line);
    }

    fn add_transactions(&mut self, metadata: &RuntimeMetadataV16) {
        let extrinsic = &metadata.extrinsic;
        for (part, id) in [
            ("address", extrinsic.address_ty.id),
            ("call", extrinsic.call_ty.id),
            ("signature", extrinsic.signature_ty.id),
        ] {
            let ty = self.name(id);
            self.add(format!("{part} {ty}"));
        }
        let extensions = &extrinsic.transaction_extensions;
        // With their number, because one more changes the bytes of all transactions.
        self.add(format!("extensions {}", extensions.len()));
        for (number, extension) in extensions.iter().enumerate() {
            let (ty, signed) = (self.name(extension.ty.id), self.name(extension.implicit.id));
            let identifier = &extension.identifier;
            self.add(format!(
                "extension {number} {identifier} {ty}, signed {signed}"
            ));
        }
    }

    fn add_others(&mut self, metadata: &RuntimeMetadataV16) {
        for pallet in &metadata.pallets {
            let name = &pallet.name;
            self.add(format!("pallet {name} = {}", pallet.index));
            for entry in pallet.storage.iter().flat_map(|storage| &storage.entries) {
                let modifier = match entry.modifier {
                    StorageEntryModifier::Optional => "optional",
                    StorageEntryModifier::Default => "default",
                };
                let ty = match &entry.ty {
                    StorageEntryType::Plain(value) => self.name(value.id),
                    StorageEntryType::Map {
                        hashers,
                        key,
                        value,
                    } => {
                        let hashers = hashers.iter().map(|hasher| format!("{hasher:?}"));
                        // Spelled as clients spell it.
                        let hashers = hashers.collect::<Vec<_>>().join(" ").replace('_', "");
                        let (key, value) = (self.name(key.id), self.name(value.id));
                        format!("map {hashers} {key} -> {value}")
                    }
                };
                self.add(format!("storage {name}.{} {modifier} {ty}", entry.name));
            }
            let events = pallet.event.iter().map(|events| ("events", events.ty.id));
            let errors = pallet.error.iter().map(|errors| ("errors", errors.ty.id));
            for (kind, id) in events.chain(errors) {
                let ty = self.name(id);
                self.add(format!("{kind} {name} {ty}"));
            }
            for constant in &pallet.constants {
                let ty = self.name(constant.ty.id);
                let value = hex::encode(&constant.value);
                self.add(format!(
                    "constant {name}.{} {ty} = 0x{value}",
                    constant.name
                ));
            }
            for view in &pallet.view_functions {
                let (inputs, output) = (self.inputs(&view.inputs), self.name(view.output.id));
                self.add(format!("view {name}.{}({inputs}) -> {output}", view.name));
            }
        }
        for api in &metadata.apis {
            for method in &api.methods {
                let (inputs, output) = (self.inputs(&method.inputs), self.name(method.output.id));
                let (api, method) = (&api.name, &method.name);
                self.add(format!("api {api}.{method}({inputs}) -> {output}"));
            }
        }
    }

    /// All lines, with one for each type that is in them, or for each of its variants.
    fn define(mut self) -> BTreeSet<String> {
        let mut defined = BTreeSet::new();
        while let Some(id) = self.named.pop() {
            let ty = self.types.resolve(id).expect("the type is registered");
            if !defined.insert(id) || ty.path.is_empty() {
                continue;
            }
            let name = self.name(id);
            match &ty.type_def {
                TypeDef::Composite(composite) => {
                    let fields = self.fields(&composite.fields);
                    self.add(format!("type {name} {fields}"));
                }
                TypeDef::Variant(enumeration) => {
                    for variant in &enumeration.variants {
                        let fields = self.fields(&variant.fields);
                        let (variant, index) = (&variant.name, variant.index);
                        self.add(format!("type {name}::{variant} = {index} {fields}"));
                    }
                }
                other => self.add(format!("type {name} = {other:?}")),
            }
        }
        self.lines
    }

    fn inputs(&mut self, inputs: &[FunctionParamMetadata<PortableForm>]) -> String {
        let inputs = inputs.iter();
        let inputs = inputs.map(|input| format!("{}: {}", input.name, self.name(input.ty.id)));
        inputs.collect::<Vec<_>>().join(", ")
    }

    fn fields(&mut self, fields: &[Field<PortableForm>]) -> String {
        let fields = fields.iter().map(|field| {
            let ty = self.name(field.ty.id);
            match &field.name {
                Some(name) => format!("{name}: {ty}"),
                None => ty,
            }
        });
        format!("({})", fields.collect::<Vec<_>>().join(", "))
    }

    /// The name of a type. It is defined once everything that is named has a line.
    fn name(&mut self, id: u32) -> String {
        let ty = self.types.resolve(id).expect("the type is registered");
        self.named.push(id);
        if !ty.path.is_empty() {
            let parameters = ty.type_params.iter().filter_map(|one| one.ty);
            let parameters: Vec<_> = parameters.map(|one| self.name(one.id)).collect();
            return match parameters.is_empty() {
                true => ty.path.to_string(),
                false => format!("{}<{}>", ty.path, parameters.join(", ")),
            };
        }
        match &ty.type_def {
            TypeDef::Sequence(sequence) => format!("Vec<{}>", self.name(sequence.type_param.id)),
            TypeDef::Array(array) => format!("[{}; {}]", self.name(array.type_param.id), array.len),
            TypeDef::Tuple(tuple) => {
                let parts = tuple.fields.iter().map(|part| self.name(part.id));
                format!("({})", parts.collect::<Vec<_>>().join(", "))
            }
            TypeDef::Primitive(primitive) => primitive_name(primitive).into(),
            TypeDef::Compact(compact) => format!("Compact<{}>", self.name(compact.type_param.id)),
            TypeDef::Composite(composite) => self.fields(&composite.fields),
            other => format!("{other:?}"),
        }
    }
}

fn primitive_name(primitive: &TypeDefPrimitive) -> &'static str {
    match primitive {
        TypeDefPrimitive::Bool => "bool",
        TypeDefPrimitive::Char => "char",
        TypeDefPrimitive::Str => "str",
        TypeDefPrimitive::U8 => "u8",
        TypeDefPrimitive::U16 => "u16",
        TypeDefPrimitive::U32 => "u32",
        TypeDefPrimitive::U64 => "u64",
        TypeDefPrimitive::U128 => "u128",
        TypeDefPrimitive::U256 => "u256",
        TypeDefPrimitive::I8 => "i8",
        TypeDefPrimitive::I16 => "i16",
        TypeDefPrimitive::I32 => "i32",
        TypeDefPrimitive::I64 => "i64",
        TypeDefPrimitive::I128 => "i128",
        TypeDefPrimitive::I256 => "i256",
    }
}

fn listing(transactions: &[&str], others: &[&str]) -> Listing {
    let lines = |lines: &[&str]| lines.iter().map(|&line| line.into()).collect();
    Listing {
        spec_version: 3,
        transaction_version: 2,
        transactions: lines(transactions),
        others: lines(others),
    }
}

#[test]
fn a_listing_comes_back_from_its_text() {
    let listing = listing(&["call X", "type X::a = 0 (u8)"], &["storage Y"]);
    assert_eq!(listing.to_string().parse::<Listing>(), Ok(listing));
}

#[test]
fn a_new_call_does_not_change_transactions_and_another_argument_does() {
    let before = listing(&["call X", "type X::a = 0 (u8)"], &["storage Y"]);
    let more = listing(
        &["call X", "type X::a = 0 (u8)", "type X::b = 1 ()"],
        &["storage Y"],
    );
    let changes = before.changes(&more);
    assert_eq!(changes.gone_from_transactions, Vec::<String>::new());
    assert_eq!(changes.all, ["+ type X::b = 1 ()"]);
    let other = listing(&["call X", "type X::a = 0 (u16)"], &["storage Z"]);
    let changes = before.changes(&other);
    assert_eq!(changes.gone_from_transactions, ["type X::a = 0 (u8)"]);
    assert_eq!(changes.all.len(), 4);
    assert_eq!(before.changes(&before).all, Vec::<String>::new());
}
