//! The macro that `subxt` exports, as an error: see Cargo.toml.

use proc_macro::TokenStream;

/// Fails: Gotong uses its own types.
#[proc_macro_attribute]
pub fn subxt(_arguments: TokenStream, _module: TokenStream) -> TokenStream {
    r#"compile_error!("this build of subxt has no macro: see patches/subxt-macro");"#
        .parse()
        .unwrap_or_default()
}
