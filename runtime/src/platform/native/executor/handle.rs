//! A shard, as the handles of its objects see it.

use std::rc::Rc;

use super::super::clock::Clock;
use super::super::ids::IdKey;
use super::super::network::budget::Budget;
use super::super::network::waiting::Waiting;
use super::super::random::Random;
use super::super::sim::Link;
use super::super::store::Database;
use super::slot::{Executor, Life, WriteFault};
use super::work::Delivery;
use super::{Event, Shard};
use crate::error::StorageError;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::object::class::Class;
use crate::object::id::RawId;
use crate::turn::LocalFuture;

impl Executor for Shard {
    fn handle(self: Rc<Self>, event: Event) {
        Shard::handle(&self, event);
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn random(&self) -> &Random {
        &self.random
    }

    fn pending(&self) -> &Budget {
        &self.pending
    }

    fn unfinished(&self) -> &Waiting {
        &self.unfinished
    }

    fn may_cut(&self, link: &Link) {
        Shard::may_cut(self, link);
    }

    fn make_database(&self, class: &str, id: RawId) -> Result<Database, StorageError> {
        self.disk.make(class, id)
    }

    fn fault_at_write(&self, life: &Life) -> Option<WriteFault> {
        Shard::fault_at_write(self, life)
    }

    fn continue_in_background(self: Rc<Self>, life: &Rc<Life>, work: LocalFuture<'static, ()>) {
        Shard::continue_in_background(&self, life, work);
    }

    fn block_while(self: Rc<Self>, life: &Rc<Life>, gate: LocalFuture<'static, Result<(), Fault>>) {
        Shard::block_while(&self, life, gate);
    }

    fn id_key(&self, class: &'static Class) -> Result<Rc<IdKey>, Fault> {
        Shard::id_key(self, class)
    }

    fn deliver(self: Rc<Self>, delivery: Delivery) {
        Shard::deliver(&self, delivery);
    }

    fn next_call(&self) -> u32 {
        Shard::next_call(self)
    }

    fn fetch(self: Rc<Self>, request: Request) -> LocalFuture<'static, Result<Response, Fault>> {
        self.trace_request(&request);
        Box::pin(async move { self.fetch_outside(request).await })
    }
}
