//! Work that may have to stop before its end: its time is over, or nobody wants the answer any more.
//!
//! A search runs on one thread from its beginning to its end, and what takes long in it (terms, documents, buckets, hits) is deep
//! inside; so the thread knows what it may be stopped by, and long loops ask now and then.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::{Error, Result};

/// The kind of the error that ends a step when its time is over; it never reaches a client.
const TIME_EXCEEDED: &str = "time_exceeded_exception";
/// Turns of a cheap loop between two questions.
const PATIENCE: u32 = 1024;

/// Set from any thread; the search that was given it stops soon after.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
struct Current {
    end: Option<Instant>,
    cancel: Option<Cancel>,
}

thread_local! {
    static CURRENT: RefCell<Current> = RefCell::default();
}

/// While it lives, the work of this thread may be interrupted.
pub struct Interruptible(Current);

impl Interruptible {
    /// By its time, and by `cancel` or whatever could cancel the work around it.
    pub fn new(timeout_ms: Option<u64>, cancel: Option<&Cancel>) -> Self {
        let end = timeout_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        CURRENT.with(|cell| {
            let mut current = cell.borrow_mut();
            let cancel = cancel.or(current.cancel.as_ref()).cloned();
            Interruptible(std::mem::replace(&mut current, Current { end, cancel }))
        })
    }

    /// From here on only cancelling counts, not the time: what is found is to be answered.
    pub fn without_time(&self) {
        CURRENT.with(|cell| cell.borrow_mut().end = None);
    }
}

impl Drop for Interruptible {
    fn drop(&mut self) {
        CURRENT.with(|cell| cell.replace(std::mem::take(&mut self.0)));
    }
}

/// Fails if the work was cancelled.
pub fn check_cancelled() -> Result<()> {
    CURRENT.with(|cell| {
        if cell.borrow().cancel.as_ref().is_some_and(Cancel::cancelled) {
            return Err(Error::new("task_cancelled_exception", 500, "The task is cancelled."));
        }
        Ok(())
    })
}

/// Whether the time is over; fails if the work was cancelled.
pub fn expired() -> Result<bool> {
    check_cancelled()?;
    Ok(CURRENT.with(|cell| cell.borrow().end.is_some_and(|end| Instant::now() >= end)))
}

/// Fails if the work has to stop, for whatever reason.
pub fn check() -> Result<()> {
    if expired()? { Err(Error::new(TIME_EXCEEDED, 500, "Time exceeded")) } else { Ok(()) }
}

/// Whether an error says that the time was over.
pub fn is_timeout(error: &Error) -> bool {
    error.kind == TIME_EXCEEDED
}

/// Asks [`check`] every so many turns of a loop.
#[derive(Default)]
pub struct Patience(u32);

impl Patience {
    #[inline]
    pub fn turn(&mut self) -> Result<()> {
        self.0 += 1;
        if self.0.is_multiple_of(PATIENCE) { check() } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_inside_and_only_on_this_thread() {
        assert!(check().is_ok());
        let cancel = Cancel::default();
        {
            let outer = Interruptible::new(Some(0), Some(&cancel));
            assert!(expired().unwrap() && is_timeout(&check().unwrap_err()));
            {
                let _inner = Interruptible::new(None, None);
                assert!(check().is_ok());
            }
            assert!(check().is_err());
            std::thread::spawn(|| assert!(check().is_ok())).join().unwrap();
            outer.without_time();
            assert!(check().is_ok());
            cancel.cancel();
            assert_eq!(check().unwrap_err().kind, "task_cancelled_exception");
        }
        assert!(check().is_ok());
    }
}
