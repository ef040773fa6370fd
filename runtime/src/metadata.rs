//! Tests of the metadata, from which third-party clients know the chain.

mod listing;

use crate::{pace::Pace, Runtime, SS58_PREFIX, TOKEN_DECIMALS, TOKEN_SYMBOL, VERSION};
use codec::Decode;
use frame_metadata::{
    v16::{RuntimeMetadataV16, StorageEntryType},
    RuntimeMetadata, RuntimeMetadataPrefixed,
};
use listing::Listing;
use merkleized_metadata::{generate_metadata_digest, ExtraInfo};
use scale_info::{form::PortableForm, Field, PortableRegistry, Type, TypeDef, TypeDefPrimitive};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// What the last release was made of. `make release-listing` writes it when a release is made.
const RELEASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/metadata/release.txt");
/// The usual Wasm is compiled with this hash: see build.rs.
const HASH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/metadata/hash.txt");
/// The fast Wasm is compiled with this hash. Both files are written together.
const HASH_FAST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/metadata/hash-fast.txt");
/// Names the file that a test is to write instead of comparing it.
const WRITE: &str = "GOTONG_WRITE";

/// Tests run outside of any block: reading state to build the metadata would panic here. So its constants really are constant, and
/// equal on every chain that runs the same code.
fn metadata_of_version(version: u32) -> RuntimeMetadata {
    let bytes = Runtime::metadata_at_version(version).expect("the version is supported");
    let metadata = RuntimeMetadataPrefixed::decode(&mut &bytes[..]).expect("metadata decodes");
    metadata.1
}

fn metadata() -> RuntimeMetadataV16 {
    match metadata_of_version(16) {
        RuntimeMetadata::V16(metadata) => metadata,
        _ => panic!("version 16 was asked for"),
    }
}

/// Whether a run is to write the file `path`, rather than to compare it.
fn is_to_write(path: &str) -> bool {
    let name = Path::new(path).file_name();
    name.is_some() && name == std::env::var_os(WRITE).as_deref()
}

/// All versions are built from the same metadata, and every client knows one of them.
#[test]
fn no_constant_depends_on_the_chain() {
    for version in [14, 15, 16] {
        metadata_of_version(version);
    }
    let metadata = metadata();
    let constant = |pallet: &str, name: &str| -> Vec<u8> {
        let mut pallets = metadata.pallets.iter();
        let pallet = pallets.find(|one| one.name == pallet).expect("the pallet");
        let mut constants = pallet.constants.iter();
        let constant = constants.find(|one| one.name == name);
        constant.expect("the constant").value.clone()
    };
    let pace = Pace::OWN;
    let millis = pace.slot_millis;
    for (pallet, name, value) in [
        ("Babe", "ExpectedBlockTime", millis.to_le_bytes().to_vec()),
        (
            "Babe",
            "EpochDuration",
            pace.epoch_slots.to_le_bytes().to_vec(),
        ),
        (
            "Timestamp",
            "MinimumPeriod",
            (millis / 2).to_le_bytes().to_vec(),
        ),
        (
            "Referee",
            "MoveBlocks",
            pace.move_blocks.to_le_bytes().to_vec(),
        ),
    ] {
        assert_eq!(constant(pallet, name), value, "{pallet}.{name}");
    }
}

/// Hardware wallets decode what they sign with metadata that matches this hash, and the chain compares the hash with its own. It
/// covers the name of the runtime, which is different for each pace, but not the constants, which differ too.
#[test]
fn both_wasm_have_the_hash_of_this_metadata() {
    for (pace, file) in [(Pace::USUAL, HASH), (Pace::FAST, HASH_FAST)] {
        let digest = generate_metadata_digest(
            &metadata_of_version(15),
            ExtraInfo {
                spec_version: VERSION.spec_version,
                spec_name: pace.spec_name.into(),
                base58_prefix: SS58_PREFIX,
                decimals: TOKEN_DECIMALS,
                token_symbol: TOKEN_SYMBOL.into(),
            },
        );
        let hash = format!("0x{}\n", hex::encode(digest.expect("a digest").hash()));
        if is_to_write(HASH) {
            fs::write(file, hash).expect("the file can be written");
            continue;
        }
        let compiled = fs::read_to_string(file).expect("the file is there");
        assert_eq!(
            compiled, hash,
            "the metadata has changed: run `make metadata-hash`, which writes the hash that the Wasm is compiled with"
        );
    }
}

/// The files above would say nothing about what is shipped if the Wasm were compiled with another hash, or with none. In a
/// compressed Wasm the hash could not be found.
#[test]
fn each_wasm_has_its_own_hash_inside() {
    let bytes_in = |file: &str| -> Vec<u8> {
        let hash = fs::read_to_string(file).expect("the file is there");
        let digits = hash.trim().strip_prefix("0x").expect("a hash");
        hex::decode(digits).expect("hexadecimal digits")
    };
    let (usual, fast) = (bytes_in(HASH), bytes_in(HASH_FAST));
    for (wasm, own, other) in [
        (crate::WASM_BINARY_BLOATY, &usual, &fast),
        (crate::fast::WASM_BINARY_BLOATY, &fast, &usual),
    ] {
        let wasm = wasm.expect("it was built");
        let has = |hash: &[u8]| wasm.windows(hash.len()).any(|bytes| bytes == hash);
        assert!(has(own), "the Wasm has not the hash of its metadata");
        assert!(!has(other), "the Wasm has the hash of another's metadata");
    }
}

/// What was encoded for the last release must not be taken for something else.
#[test]
fn versions_rise_with_what_changes() {
    let now = Listing::of(&metadata());
    if is_to_write(RELEASE) {
        return fs::write(RELEASE, now.to_string()).expect("the file can be written");
    }
    let release = fs::read_to_string(RELEASE).expect("the file is there");
    let release: Listing = release.parse().expect("the file is a listing");
    let changes = release.changes(&now);
    let gone = changes.gone_from_transactions;
    assert!(
        gone.is_empty() || now.transaction_version > release.transaction_version,
        "transactions are encoded differently from those of the last release: raise transaction_version above {}:\n{}\n\
         (`make release-listing` is only for making a release.)",
        release.transaction_version,
        gone.join("\n")
    );
    let all = changes.all;
    assert!(
        all.is_empty() || now.spec_version > release.spec_version,
        "the metadata differs from that of the last release: raise spec_version above {}:\n{}\n\
         (`make release-listing` is only for making a release.)",
        release.spec_version,
        all.join("\n")
    );
    assert!(
        now.spec_version >= release.spec_version,
        "spec_version must not fall"
    );
    assert!(
        now.transaction_version >= release.transaction_version,
        "transaction_version must not fall"
    );
}

/// Words that cannot name an argument in JavaScript, TypeScript or Python.
const RESERVED: [&str; 70] = [
    "False",
    "None",
    "True",
    "and",
    "arguments",
    "as",
    "assert",
    "async",
    "await",
    "break",
    "case",
    "catch",
    "class",
    "const",
    "continue",
    "debugger",
    "def",
    "default",
    "del",
    "delete",
    "do",
    "elif",
    "else",
    "enum",
    "eval",
    "except",
    "export",
    "extends",
    "false",
    "finally",
    "for",
    "from",
    "function",
    "global",
    "if",
    "implements",
    "import",
    "in",
    "instanceof",
    "interface",
    "is",
    "lambda",
    "let",
    "new",
    "nonlocal",
    "not",
    "null",
    "or",
    "package",
    "pass",
    "private",
    "protected",
    "public",
    "raise",
    "return",
    "static",
    "super",
    "switch",
    "this",
    "throw",
    "true",
    "try",
    "typeof",
    "undefined",
    "var",
    "void",
    "while",
    "with",
    "yield",
    "self",
];

/// Names of the SDK, which its clients are used to. They are fields in generated code, never arguments.
const NOT_OURS: [&str; 5] = [
    "Balances.Transfer.from",
    "Balances.ReserveRepatriated.from",
    "Balances.TotalIssuanceForced.new",
    "Sudo.set_key.new",
    "Sudo.KeyChanged.new",
];

/// Code generators make arguments with these names.
#[test]
fn no_argument_has_a_reserved_name() {
    let metadata = metadata();
    let mut names = Vec::new();
    for pallet in &metadata.pallets {
        for view in &pallet.view_functions {
            let inputs = view.inputs.iter();
            names.extend(
                inputs.map(|input| format!("{}.{}.{}", pallet.name, view.name, input.name)),
            );
        }
        let calls = pallet.calls.iter().map(|calls| calls.ty.id);
        let events = pallet.event.iter().map(|events| events.ty.id);
        for id in calls.chain(events) {
            let ty = metadata.types.resolve(id).expect("the type is registered");
            let TypeDef::Variant(enumeration) = &ty.type_def else {
                panic!("calls and events are enums");
            };
            for variant in &enumeration.variants {
                let fields = variant.fields.iter().filter_map(named);
                names.extend(
                    fields.map(|field| format!("{}.{}.{field}", pallet.name, variant.name)),
                );
            }
        }
    }
    for api in &metadata.apis {
        for method in &api.methods {
            let inputs = method.inputs.iter();
            names
                .extend(inputs.map(|input| format!("{}.{}.{}", api.name, method.name, input.name)));
        }
    }
    let reserved = BTreeSet::from(RESERVED);
    let is_reserved = |name: &str| {
        name.rsplit('.')
            .next()
            .is_some_and(|last| reserved.contains(last))
    };
    assert!(is_reserved("Referee.rule.case") && !is_reserved("case.rule.trial"));
    names.retain(|name| is_reserved(name) && !NOT_OURS.contains(&&name[..]));
    assert_eq!(names, Vec::<String>::new());
}

fn named(field: &Field<PortableForm>) -> Option<&String> {
    field.name.as_ref()
}

/// Crates whose types are ours.
const OUR_CRATES: [&str; 5] = [
    "gotong_protocol",
    "gotong_runtime",
    "gotong_scoring",
    "pallet_contribution",
    "pallet_referee",
];

/// Pallets that are ours.
const OUR_PALLETS: [&str; 5] = [
    "Authorities",
    "Contribution",
    "Governance",
    "Referee",
    "Timing",
];

/// Runtime APIs that are ours.
const OUR_APIS: [&str; 2] = ["ContributionApi", "RefereeApi"];

/// Whether a type with this path is ours. What `#[frame_support::runtime]` makes at the root of the runtime is not.
fn is_ours(path: &[String]) -> bool {
    match path {
        [first, name] if first == "gotong_runtime" => name == "SessionKeys",
        [first, ..] => OUR_CRATES.contains(&&first[..]),
        [] => false,
    }
}

/// A type, its variants and its fields, by name, and the docs of each.
///
/// Fields without a name are described in the docs of their type or variant, and the arguments of a call in those of the call.
fn docs_of(ty: &Type<PortableForm>) -> Vec<(String, &[String])> {
    let path = ty.path.to_string();
    let mut all = vec![(path.clone(), &ty.docs[..])];
    let mut fields: Vec<(String, &Field<PortableForm>)> = Vec::new();
    match &ty.type_def {
        TypeDef::Composite(composite) => {
            fields.extend(composite.fields.iter().map(|field| (path.clone(), field)));
        }
        TypeDef::Variant(enumeration) => {
            let is_call = path.ends_with("::Call");
            for variant in &enumeration.variants {
                let name = format!("{path}::{}", variant.name);
                if !is_call {
                    fields.extend(variant.fields.iter().map(|field| (name.clone(), field)));
                }
                all.push((name, &variant.docs[..]));
            }
        }
        _ => {}
    }
    all.extend(fields.into_iter().filter_map(|(of, field)| {
        let name = named(field)?;
        Some((format!("{of}.{name}"), &field.docs[..]))
    }));
    all
}

/// A wallet shows what a number means, and in which unit it is.
#[test]
fn all_that_is_ours_has_docs() {
    let metadata = metadata();
    let mut all: Vec<(String, &[String])> = Vec::new();
    let types = metadata.types.types.iter().map(|ty| &ty.ty);
    for ty in types.filter(|ty| is_ours(&ty.path.segments)) {
        all.extend(docs_of(ty));
    }
    let pallets = metadata.pallets.iter();
    let pallets = pallets.filter(|pallet| OUR_PALLETS.contains(&&pallet.name[..]));
    for pallet in pallets {
        let of = |name: &str| format!("{}.{name}", pallet.name);
        let storage = pallet.storage.iter().flat_map(|storage| &storage.entries);
        all.extend(storage.map(|entry| (of(&entry.name), &entry.docs[..])));
        let constants = pallet.constants.iter();
        all.extend(constants.map(|constant| (of(&constant.name), &constant.docs[..])));
        let views = pallet.view_functions.iter();
        all.extend(views.map(|view| (of(&view.name), &view.docs[..])));
    }
    let apis = metadata.apis.iter();
    for api in apis.filter(|api| OUR_APIS.contains(&&api.name[..])) {
        all.push((api.name.clone(), &api.docs[..]));
        let methods = api.methods.iter();
        all.extend(
            methods.map(|method| (format!("{}.{}", api.name, method.name), &method.docs[..])),
        );
    }
    // One of each kind: if one is missing, the names above are out of date.
    for known in [
        "gotong_runtime::SessionKeys.babe",
        "gotong_runtime::authorities::pallet::Error::NotBonded",
        "gotong_runtime::governance::pallet::Call::as_root",
        "gotong_scoring::share::trial::statement::Model::Midpoint",
        "Authorities.AuthorityBond",
        "Contribution.Rounds",
        "Governance.Proposers",
        "Referee.Disputes",
        "Timing.FullBlocks",
        "ContributionApi.task",
        "RefereeApi",
    ] {
        assert!(all.iter().any(|(name, _)| name == known), "{known}");
    }
    all.retain(|(_, docs)| docs.iter().all(|line| line.trim().is_empty()));
    let without: Vec<_> = all.into_iter().map(|(name, _)| name).collect();
    assert_eq!(without, Vec::<String>::new());
}

/// Numbers as wide as an amount of money that are not one.
const NOT_MONEY: [&str; 5] = [
    "gotong_protocol::view::LedgerView.doubt",
    "gotong_scoring::merkle::Node.sum",
    "gotong_scoring::share::credit::Credit.variance",
    "gotong_scoring::share::ledger::Ledger.largest",
    "gotong_scoring::share::ledger::Ledger.variance",
];

/// Whether a value of this type has a `u128` in it, in a part whose type is not ours: types of ours are checked on their own.
fn has_u128(types: &PortableRegistry, id: u32) -> bool {
    let ty = types.resolve(id).expect("the type is registered");
    let path = &ty.path.segments[..];
    if is_ours(path) {
        return false;
    }
    let has = |id: u32| has_u128(types, id);
    let has_any = |fields: &[Field<PortableForm>]| fields.iter().any(|field| has(field.ty.id));
    match &ty.type_def {
        TypeDef::Primitive(primitive) => *primitive == TypeDefPrimitive::U128,
        TypeDef::Compact(compact) => has(compact.type_param.id),
        TypeDef::Sequence(sequence) => has(sequence.type_param.id),
        TypeDef::Array(array) => has(array.type_param.id),
        TypeDef::Tuple(tuple) => tuple.fields.iter().any(|part| has(part.id)),
        TypeDef::Composite(composite) => has_any(&composite.fields),
        TypeDef::Variant(option) if *path == ["Option"] => {
            let mut variants = option.variants.iter();
            variants.any(|variant| has_any(&variant.fields))
        }
        TypeDef::Variant(_) | TypeDef::BitSequence(_) => false,
    }
}

/// All that third-party clients know about an amount is its docs, and those of the type, variant or call that it is in.
#[test]
fn all_money_of_ours_is_in_planck() {
    let metadata = metadata();
    let types = &metadata.types;
    // The items with an amount in them, and whether their docs have the unit.
    let mut amounts: BTreeMap<String, bool> = BTreeMap::new();
    let mut look = |name: String, ty: u32, docs: [&[String]; 2]| {
        if has_u128(types, ty) {
            let mut lines = docs.into_iter().flatten();
            amounts.insert(name, lines.any(|line| line.contains("planck")));
        }
    };
    let ours = types.types.iter().map(|ty| &ty.ty);
    for ty in ours.filter(|ty| is_ours(&ty.path.segments)) {
        let path = ty.path.to_string();
        let mut look_at = |of: &str, fields: &[Field<PortableForm>], docs: &[String]| {
            for field in fields {
                let name = named(field).map_or("", |name| &name[..]);
                look(format!("{of}.{name}"), field.ty.id, [&field.docs, docs]);
            }
        };
        match &ty.type_def {
            TypeDef::Composite(composite) => look_at(&path, &composite.fields, &ty.docs),
            TypeDef::Variant(enumeration) => {
                for variant in &enumeration.variants {
                    let of = format!("{path}::{}", variant.name);
                    look_at(&of, &variant.fields, &variant.docs);
                }
            }
            _ => {}
        }
    }
    let pallets = metadata.pallets.iter();
    for pallet in pallets.filter(|pallet| OUR_PALLETS.contains(&&pallet.name[..])) {
        let of = |name: &str| format!("{}.{name}", pallet.name);
        for entry in pallet.storage.iter().flat_map(|storage| &storage.entries) {
            let (StorageEntryType::Plain(value) | StorageEntryType::Map { value, .. }) = &entry.ty;
            look(of(&entry.name), value.id, [&entry.docs, &[]]);
        }
        for constant in &pallet.constants {
            look(of(&constant.name), constant.ty.id, [&constant.docs, &[]]);
        }
    }
    // One of each kind: if one is missing, amounts are not found.
    for known in [
        "gotong_protocol::view::RewardState::Paid.",
        "gotong_protocol::view::StakeView.unbonding",
        "pallet_contribution::pallet::Call::register.stake",
        "pallet_contribution::pallet::Event::Slashed.amount",
        "pallet_contribution::tasks::Purse.pool",
        "Contribution.Candidates",
        "Referee.DisputeBond",
    ] {
        assert!(amounts.contains_key(known), "{known}");
    }
    amounts.retain(|_, has_unit| !*has_unit);
    let without: Vec<String> = amounts.into_keys().collect();
    assert_eq!(without, NOT_MONEY);
}
