//! Which device Burn runs on.

use std::fmt;

use burn::tensor::Device;
use clap::ValueEnum;

/// A backend of Burn. All but `Flex` are cargo features of this crate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DeviceChoice {
    /// The CPU, in pure Rust; always there.
    #[default]
    Flex,
    /// A GPU through Vulkan, Metal or DirectX 12, with shaders in WGSL (feature `wgpu`).
    Wgpu,
    /// A GPU through Vulkan, with shaders in SPIR-V (feature `vulkan`).
    Vulkan,
    /// An NVIDIA GPU through CUDA (feature `cuda`).
    Cuda,
}

/// What computes behind a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// Its name and driver.
    pub name: String,
    /// Whether it is a GPU, and not a driver that emulates one on the processor.
    pub is_gpu: bool,
}

/// Why a device cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This program was built without that backend.
    #[error(
        "this program was built without the {0} backend: `make build` adds wgpu (a first `make demo` leaves it out), and `cargo build --workspace --features gotong/{0}` any other"
    )]
    NotBuilt(DeviceChoice),
    /// The backend found nothing to run on.
    #[error(
        "no device found for {choice} ({reason}): install your GPU's Vulkan driver or, for tests in software, `apt-get install libvulkan1 mesa-vulkan-drivers`"
    )]
    NoAdapter {
        /// The backend.
        choice: DeviceChoice,
        /// What it said.
        reason: String,
    },
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// [`DeviceError::NotBuilt`] when the program lacks the backend; [`DeviceError::NoAdapter`] when
    /// the machine lacks the device.
    pub fn open(self) -> Result<Device, DeviceError> {
        Ok(self.open_adapter()?.0)
    }

    /// Opens the device, and says what it is.
    ///
    /// # Errors
    /// See [`DeviceChoice::open`].
    pub fn open_adapter(self) -> Result<(Device, Adapter), DeviceError> {
        match self {
            Self::Flex => Ok((
                Device::flex(),
                Adapter {
                    name: "this processor".into(),
                    is_gpu: false,
                },
            )),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => graphics::open(self),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => graphics::open(self),
            // Its driver starts at the first tensor.
            #[cfg(feature = "cuda")]
            Self::Cuda => Ok((
                Device::cuda(0),
                Adapter {
                    name: "NVIDIA GPU 0".into(),
                    is_gpu: true,
                },
            )),
            #[allow(unreachable_patterns)] // with every backend built in, nothing is left
            missing => Err(DeviceError::NotBuilt(missing)),
        }
    }

    /// The name as it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flex => "flex",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Cuda => "cuda",
        }
    }

    /// The choices that this program was built with.
    pub fn built() -> impl Iterator<Item = Self> {
        let is_built = |choice: &Self| match choice {
            Self::Flex => true,
            Self::Wgpu => cfg!(feature = "wgpu"),
            Self::Vulkan => cfg!(feature = "vulkan"),
            Self::Cuda => cfg!(feature = "cuda"),
        };
        Self::value_variants().iter().copied().filter(is_built)
    }
}

/// Devices of the crate `wgpu`.
#[cfg(any(feature = "wgpu", feature = "vulkan"))]
mod graphics {
    use super::{Adapter, DeviceChoice, DeviceError};
    use burn::tensor::{
        wgpu::{wgpu::DeviceType, WgpuBackend},
        Device,
    };
    use std::sync::Mutex;

    type Opened = Result<(Device, Adapter), DeviceError>;

    /// Burn opens each of them once in a process.
    static OPENED: Mutex<Vec<(DeviceChoice, Opened)>> = Mutex::new(Vec::new());

    pub(super) fn open(choice: DeviceChoice) -> Opened {
        let mut all = OPENED.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some((_, opened)) = all.iter().find(|(known, _)| *known == choice) {
            return opened.clone();
        }
        let opened = first_open(choice);
        all.push((choice, opened.clone()));
        opened
    }

    fn first_open(choice: DeviceChoice) -> Opened {
        let options = match choice {
            DeviceChoice::Vulkan => Device::wgpu_options().graphics_api(WgpuBackend::Vulkan),
            _ => Device::wgpu_options(),
        };
        let opened = options.init_with_setup();
        let (device, setup) = opened.map_err(|error| DeviceError::NoAdapter {
            choice,
            reason: error.to_string(),
        })?;
        let info = setup.adapter.get_info();
        let is_gpu = matches!(
            info.device_type,
            DeviceType::DiscreteGpu | DeviceType::IntegratedGpu | DeviceType::VirtualGpu
        );
        let name = format!("{} ({}, {})", info.name, info.backend, info.driver_info);
        Ok((device, Adapter { name, is_gpu }))
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for choice in DeviceChoice::value_variants() {
            assert_eq!(DeviceChoice::from_str(choice.name(), false), Ok(*choice));
        }
    }

    #[test]
    fn flex_is_always_there() {
        assert!(DeviceChoice::Flex.open().is_ok());
    }

    /// A graphics device answers, once and for all of the process; without a GPU it is software.
    #[cfg(feature = "wgpu")]
    #[test]
    fn a_graphics_device_opens_again_and_again() {
        let (_, adapter) = DeviceChoice::Wgpu.open_adapter().unwrap();
        assert!(!adapter.name.is_empty());
        assert_eq!(DeviceChoice::Wgpu.open_adapter().unwrap().1, adapter);
        assert!(DeviceChoice::built().any(|choice| choice == DeviceChoice::Wgpu));
    }

    #[test]
    fn a_device_that_is_not_there_says_what_to_install() {
        let error = DeviceError::NoAdapter {
            choice: DeviceChoice::Wgpu,
            reason: "nothing found".into(),
        };
        assert!(error.to_string().contains("mesa-vulkan-drivers"));
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_backend_left_out_says_how_to_build_it() {
        let error = DeviceChoice::Cuda.open().unwrap_err();
        assert!(error.to_string().contains("--features gotong/cuda"));
    }
}
