//! Which device Burn runs on.

use std::{fmt, str::FromStr};

use burn::tensor::Device;

/// A backend of Burn. All but `Flex` are cargo features of this crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    /// The CPU, in pure Rust; always there.
    #[default]
    Flex,
    /// A GPU through WebGPU (feature `wgpu`).
    Wgpu,
    /// A GPU through Vulkan and SPIR-V (feature `vulkan`).
    Vulkan,
    /// An NVIDIA GPU (feature `cuda`).
    Cuda,
}

/// Why a device cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The name is not one of the choices.
    #[error("unknown device `{0}`: choose flex, wgpu, vulkan or cuda")]
    Unknown(String),
    /// This program was built without that backend.
    #[error(
        "this build has no {0} backend; build it with `cargo build --release -p gotong --features {0}`"
    )]
    NotBuilt(DeviceChoice),
}

impl DeviceChoice {
    /// Opens the device. GPU drivers start at the first tensor, not here.
    ///
    /// # Errors
    /// [`DeviceError::NotBuilt`] when the program lacks the backend.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            Self::Flex => Ok(Device::flex()),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::webgpu(Default::default())),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(Device::vulkan(Default::default())),
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok(Device::cuda(0)),
            #[allow(unreachable_patterns)] // with every backend built in, nothing is left
            missing => Err(DeviceError::NotBuilt(missing)),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        })
    }
}

impl FromStr for DeviceChoice {
    type Err = DeviceError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Flex, Self::Wgpu, Self::Vulkan, Self::Cuda]
            .into_iter()
            .find(|choice| choice.to_string() == name)
            .ok_or_else(|| DeviceError::Unknown(name.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!("vulkan".parse(), Ok(DeviceChoice::Vulkan));
        let error = "abacus".parse::<DeviceChoice>().unwrap_err();
        assert!(error.to_string().contains("abacus"));
    }

    #[test]
    fn flex_is_always_there() {
        assert!(DeviceChoice::Flex.open().is_ok());
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_left_out_says_how_to_build_it() {
        let error = DeviceChoice::Cuda.open().unwrap_err();
        assert!(error.to_string().contains("--features cuda"));
    }
}
