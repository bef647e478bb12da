//! The mutex of the engine.

use std::sync::PoisonError;

/// A panic of a reactor leaves consistent data, as every critical section is a push, a take or a swap: nothing is poisoned.
#[derive(Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

#[cfg(not(vmpulse_tsan))]
pub type MutexGuard<'a, T> = std::sync::MutexGuard<'a, T>;
#[cfg(vmpulse_tsan)]
pub use watched::MutexGuard;

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        #[cfg(vmpulse_tsan)]
        let guard = MutexGuard::new(guard);
        guard
    }
}

/// ThreadSanitizer does not see how one thread waits for another in the standard library, which is built without it, so it
/// is told.
#[cfg(vmpulse_tsan)]
mod watched {
    use std::ffi::c_void;
    use std::ops::{Deref, DerefMut};

    unsafe extern "C" {
        fn __tsan_acquire(address: *mut c_void);
        fn __tsan_release(address: *mut c_void);
    }

    pub struct MutexGuard<'a, T>(std::sync::MutexGuard<'a, T>);

    impl<'a, T> MutexGuard<'a, T> {
        pub fn new(mut guard: std::sync::MutexGuard<'a, T>) -> Self {
            // SAFETY: the address is only a name.
            unsafe { __tsan_acquire((&raw mut *guard).cast()) };
            Self(guard)
        }
    }

    impl<T> Drop for MutexGuard<'_, T> {
        fn drop(&mut self) {
            // SAFETY: the address is only a name. The mutex is freed after this.
            unsafe { __tsan_release((&raw mut *self.0).cast()) };
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;
        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }
}
