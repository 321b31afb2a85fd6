//! Performs the acts of a plan.

use std::time::Duration;

use anchorhold::prelude::*;
use serde_json::{Value, json};

use super::acts::{Act, Ending, Recipients, Turn, Way, When};
use super::{Differential, DifferentialStub, Label};
use crate::rpc::Outcome;
use crate::storage;

/// The result of one act.
type ActResult = Result<Value, Error>;

/// Refuses acts that only an `async` turn, or only `&mut self`, can do.
fn misplaced(act: &Act) -> Error {
    Error::internal(format!("this turn cannot do {act:?}"))
}

/// An object in a turn.
pub(super) struct Performance<'a> {
    object: Borrowed<'a>,
    ctx: &'a Ctx,
    /// Runs that a turn schedules are timed from here, because on the embedded host time advances
    /// during a turn.
    began: Timestamp,
}

enum Borrowed<'a> {
    Mutable(&'a mut Differential),
    Shared(&'a Differential),
}

impl<'a> Performance<'a> {
    pub(super) fn mutable(object: &'a mut Differential, ctx: &'a Ctx) -> Self {
        Self::new(Borrowed::Mutable(object), ctx)
    }

    pub(super) fn shared(object: &'a Differential, ctx: &'a Ctx) -> Self {
        Self::new(Borrowed::Shared(object), ctx)
    }

    fn new(object: Borrowed<'a>, ctx: &'a Ctx) -> Self {
        let began = ctx.now();
        Self { object, ctx, began }
    }

    fn object(&self) -> &Differential {
        match &self.object {
            Borrowed::Mutable(object) => object,
            Borrowed::Shared(object) => object,
        }
    }

    /// Performs all acts, in an atomic turn.
    pub(super) fn all(mut self, acts: Vec<Act>, ending: Ending) -> Result<Vec<Value>, Error> {
        let results = acts.into_iter().map(|act| told(self.one(act))).collect();
        reach(ending, results)
    }

    /// Performs all acts, in an `async` turn.
    pub(super) async fn all_waiting(
        mut self,
        acts: Vec<Act>,
        ending: Ending,
    ) -> Result<Vec<Value>, Error> {
        let mut results = Vec::new();
        for act in acts {
            let result = match act {
                Act::Sleep => {
                    self.ctx.sleep(Duration::from_millis(1)).await;
                    Ok(Value::Null)
                }
                Act::Sync => done(self.ctx.storage().sync().await),
                Act::Call(turn) => Ok(json!(call(self.ctx, turn).await)),
                act => self.one(act),
            };
            results.push(told(result));
        }
        reach(ending, results)
    }

    fn one(&mut self, act: Act) -> ActResult {
        if let Borrowed::Mutable(object) = &mut self.object {
            match act {
                Act::Add { by } => {
                    object.number = object.number.wrapping_add(by);
                    return Ok(json!(object.number));
                }
                Act::Rename { text } => {
                    object.text = text;
                    return Ok(Value::Null);
                }
                Act::Insert { key, value } => return Ok(json!(object.map.insert(&key, &value)?)),
                Act::Remove { key } => return Ok(json!(object.map.remove(&key)?)),
                Act::Number { key, value } => {
                    return Ok(json!(object.numbers.insert(&key, &value)?));
                }
                Act::Clear => {
                    object.map = StoredMap::default();
                    return Ok(Value::Null);
                }
                Act::Push { value } => return Ok(json!(object.log.push(&value)?)),
                Act::Remember => {
                    object.remembered += 1;
                    return Ok(json!(object.remembered));
                }
                act => return self.through_context(act),
            }
        }
        self.through_context(act)
    }

    fn through_context(&mut self, act: Act) -> ActResult {
        let ctx = self.ctx;
        let sockets = ctx.sockets::<Label>();
        match act {
            Act::Fields => Ok(self.object().fields()?),
            Act::Storage(step) => Ok(storage::run(&ctx.storage(), step)?),
            Act::Transaction { acts, keep } => ctx.storage().transaction(|_| {
                let results: Vec<_> = acts.into_iter().map(|act| told(self.one(act))).collect();
                if keep {
                    Ok(json!(results))
                } else {
                    Err(Error::conflict("rolled_back", json!(results).to_string()))
                }
            }),
            Act::Ring { key, when, ring } => {
                let time = match when {
                    When::After(ms) => self.began + Duration::from_millis(ms),
                    When::At(ms) => Timestamp::from_millis(ms),
                };
                done(Differential::schedules(ctx).ring(ring).key(key).at(time))
            }
            Act::Cancel { key } => Ok(json!(Differential::schedules(ctx).cancel_ring(&key)?)),
            Act::Next { key } => Ok(json!(Differential::schedules(ctx).next_ring(&key)?)),
            Act::Send { to, text } => match to {
                Recipients::All => Ok(json!(sockets.broadcast(&text)?)),
                Recipients::Tagged(tag) => Ok(json!(sockets.broadcast_tagged(&tag, &text)?)),
                Recipients::One(label) => done(find(ctx, &label)?.send(&text)),
            },
            Act::SetSession { of, padding } => {
                let socket = find(ctx, &of)?;
                let padding = "y".repeat(padding);
                done(socket.set_session(&Label { label: of, padding }))
            }
            Act::Sessions => sessions(ctx),
            Act::Close { of, code, reason } => done(find(ctx, &of)?.close(code, &reason)),
            Act::AnswerPings { pair } => {
                let pair = pair.as_ref().map(|(asked, said)| (&**asked, &**said));
                done(sockets.set_automatic_response(pair))
            }
            Act::Later { steps, call: turn } => {
                let working = self.object().background.begin();
                let storage = ctx.storage();
                let other = turn.map(|turn| (sibling(ctx, &turn.to), turn));
                ctx.wait_until(async move {
                    for step in steps {
                        // The result is visible in storage.
                        let _ = storage::run(&storage, step);
                    }
                    if let Some((other, turn)) = other {
                        let _ = take_turn(&other, turn).await;
                    }
                    drop(working);
                });
                Ok(Value::Null)
            }
            Act::Panic => panic!("as told"),
            Act::Abort => ctx.abort("as told"),
            act => Err(misplaced(&act)),
        }
    }
}

fn done<E: Into<Error>>(result: Result<(), E>) -> ActResult {
    result.map(|()| Value::Null).map_err(Into::into)
}

fn told(result: ActResult) -> Value {
    match result {
        Ok(value) => value,
        Err(error) => json!({ "error": error }),
    }
}

fn reach(ending: Ending, results: Vec<Value>) -> Result<Vec<Value>, Error> {
    match ending {
        Ending::Succeed => Ok(results),
        Ending::Fail => Err(Error::conflict("as_told", json!(results).to_string())),
    }
}

/// Returns another object of the same plan. Their names differ in the last part.
fn sibling(ctx: &Ctx, last: &str) -> DifferentialStub {
    let name = ctx.name().unwrap_or_default();
    let plan = name.rsplit_once('-').map_or("", |(plan, _)| plan);
    ctx.objects::<Differential>()
        .named(&format!("{plan}-{last}"))
}

async fn call(ctx: &Ctx, turn: Turn) -> Outcome {
    take_turn(&sibling(ctx, &turn.to), turn).await
}

async fn take_turn(other: &DifferentialStub, turn: Turn) -> Outcome {
    let Turn {
        way, acts, ending, ..
    } = turn;
    let results = match way {
        Way::Atomic => other.atomic(acts, ending).await,
        Way::Look => other.look(acts, ending).await,
        Way::Exclusive => other.exclusive(acts, ending).await,
        Way::Shared => other.shared(acts, ending).await,
    };
    Outcome::of(results.map(|results| json!(results)))
}

fn find(ctx: &Ctx, label: &str) -> Result<Socket<Label>, Error> {
    for socket in ctx.sockets::<Label>().all() {
        if socket.session()?.label == label {
            return Ok(socket);
        }
    }
    Err(Error::not_found(format!("no socket {label}")))
}

/// Returns the open sockets: label, length of the padding, tags.
pub(super) fn sessions(ctx: &Ctx) -> ActResult {
    let mut sessions = Vec::new();
    for socket in ctx.sockets::<Label>().all() {
        let session = socket.session()?;
        sessions.push(json!([session.label, session.padding.len(), socket.tags()]));
    }
    Ok(json!(sessions))
}
