//! Bounded, escaped text of untrusted bytes.
