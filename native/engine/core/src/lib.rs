//! The probe engine of vmpulse, without Node.

pub mod clock;
pub mod slab;
pub mod thresholds;
pub mod timing;
pub mod wheel;
