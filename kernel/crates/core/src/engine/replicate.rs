//! A shard as one of several copies: it takes over what the primary has numbered, goes on as primary, and hands its history on.
//! (After Elasticsearch's data replication; what differs is in docs/kernel.md.)

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::config::{Durability, Role, ShardConfig};
use super::shard::Shard;
use super::write::Work;
use crate::translog::format::{self, Record};
use crate::translog::{History, Operation};
use crate::{Error, Result};

impl Shard {
    /// Applies records of the translog in any order: those that were processed before are skipped. Durable on return under `request`
    /// unless `unsynced`. Refuses a term older than the shard's.
    pub fn replicate(&self, records: &[u8], primary_term: u64, unsynced: bool) -> Result<()> {
        let operations = decode(records)?;
        {
            let _gate = self.gate.read();
            self.check_open()?;
            if primary_term < self.config.read().primary_term {
                return Err(self.old_term(primary_term));
            }
            let mut work = Work::start(self);
            for (operation, record) in &operations {
                if !self.seq_nos.is_processed(operation.seq_no) {
                    work.replicate(operation, record)?;
                }
            }
            work.finish();
        }
        if let Some(error) = self.failed.get() {
            return Err(error.clone());
        }
        if !unsynced && self.config.read().durability == Durability::Request {
            let checkpoint = self.seq_nos.processed_checkpoint();
            self.translog().sync_all().map_err(|error| self.fail(error))?;
            self.persisted(checkpoint);
        }
        if self.runtime.over_budget() {
            self.runtime.relieve();
        }
        Ok(())
    }

    pub(crate) fn old_term(&self, term: u64) -> Error {
        let now = self.config.read().primary_term;
        Error::illegal_argument(format!("{} operation primary term [{term}] is too old (current [{now}])", self.name()))
    }

    /// Max sequence number, processed and persisted local checkpoint, global checkpoint.
    pub fn checkpoints(&self) -> (i64, i64, i64, i64) {
        let seq_nos = &self.seq_nos;
        let global = self.translog().global_checkpoint();
        (seq_nos.max(), seq_nos.processed_checkpoint(), seq_nos.persisted_checkpoint(), global)
    }

    pub fn set_global_checkpoint(&self, value: i64) {
        self.translog().set_global_checkpoint(value);
    }

    /// Goes on as primary under a new term: what the log still holds above the local checkpoint counts again, gaps are filled. Nobody
    /// writes meanwhile. Durable on return.
    pub fn promote(&self, primary_term: u64) -> Result<()> {
        self.check_open()?;
        if primary_term < self.config.read().primary_term {
            return Err(self.old_term(primary_term));
        }
        let config = ShardConfig { primary_term, role: Role::Primary, ..(*self.config()).clone() };
        *self.config.write() = Arc::new(config);
        self.restore_history().and_then(|()| self.fill_gaps()).map_err(|error| self.fail(error))?;
        self.sync()
    }

    /// Takes up what a rollback has left in the log.
    fn restore_history(&self) -> Result<()> {
        let checkpoint = self.seq_nos.processed_checkpoint();
        if self.translog().max_seq_no() <= checkpoint {
            return Ok(());
        }
        let history = self.translog().history(checkpoint + 1)?;
        let _gate = self.gate.read();
        let mut work = Work::start(self);
        let mut restored = Vec::new();
        for (seq_no, location) in history.places() {
            if self.seq_nos.is_processed(*seq_no) {
                continue;
            }
            self.seq_nos.advance(*seq_no);
            self.translog().read(*location, |operation| self.replay_one(&mut work, &operation, *location))??;
            restored.push(*seq_no);
        }
        work.finish();
        self.seq_nos.processed(restored);
        Ok(())
    }

    /// Voids what the log holds so far above this number.
    pub fn trim_above(&self, seq_no: i64) -> Result<()> {
        self.check_open()?;
        self.translog().trim_above(seq_no).map_err(|error| self.fail(error))
    }

    /// All operations from this number to the newest; None if the log does not go back so far.
    pub fn history(&self, from: i64) -> Result<Option<History>> {
        self.check_open()?;
        let from = from.max(0);
        let max = {
            // Nobody is between the number and the log.
            let _gate = self.gate.write();
            self.translog().roll().map_err(|error| self.fail(error))?;
            self.seq_nos.max()
        };
        let history = self.translog().history(from)?.up_to(max);
        Ok(history.is_complete(from, max).then_some(history))
    }

    /// Keeps operations from this number on, beyond what commits need.
    pub fn retain_history(&self, from: i64) {
        self.retain_from.store(from, Ordering::Relaxed);
    }

    pub fn history_uuid(&self) -> String {
        self.committed.lock().history_uuid.clone()
    }
}

/// The operations of a message, each with its record.
fn decode(mut records: &[u8]) -> Result<Vec<(Operation<'_>, &[u8])>> {
    let mut operations = Vec::new();
    while !records.is_empty() {
        match format::decode(records) {
            Ok((Record::Operation(operation), len)) => {
                operations.push((operation, &records[..len]));
                records = &records[len..];
            }
            Ok(_) => return Err(Error::illegal_argument("a record is no operation")),
            Err(bad) => return Err(Error::illegal_argument(format!("operations cannot be read: {}", bad.reason()))),
        }
    }
    Ok(operations)
}
