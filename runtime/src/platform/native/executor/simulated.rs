//! Parts that only a simulated shard has: starting work in the seed's order, and crashing.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::Instant;

use super::super::kernel::ObjectIndex;
use super::super::sim::{Ending, FaultKind, Link, Simulation};
use super::disk::Disk;
use super::work::{Output, Work};
use super::{Event, Shard, new_kernel, not_in_the_app};
use crate::engine::table::Description;
use crate::error::fault::Fault;
use crate::http::{Request, Response};
use crate::object::class::Class;
use crate::object::id::RawId;

/// How long a bad deployment lasts at most.
const BAD_DEPLOYMENT_MS: u64 = 60_000;

impl Shard {
    /// Starts a simulated shard's tasks on the current runtime.
    pub(in super::super) fn start_simulated_tasks(self: &Rc<Self>) {
        self.start_tasks();
        self.keep_running("work", Self::start_ready_work);
        self.keep_running("opening", Self::open_one_by_one);
        self.keep_running("syncing", Self::sync_one_by_one);
        self.keep_running("closing", Self::close_one_by_one);
    }

    /// A point where a simulated host may have one of these faults. Returns the one that it has.
    pub(in super::super) fn point(&self, possible: &[FaultKind]) -> Option<FaultKind> {
        let simulation = self.simulation.as_ref()?;
        simulation.point(self.clock.both(), possible)
    }

    /// Ends the process if a fault demands it. Decisions made since are not carried out.
    pub(super) fn crash_if_wanted(self: &Rc<Self>) {
        match self.simulation.as_ref().and_then(Simulation::ending) {
            Some(Ending::Crash) => self.crash(),
            Some(Ending::PowerFailure) => self.power_failure(),
            None => {}
        }
    }

    /// Returns what an object sends, unless it is lost or delayed in transit.
    pub(super) fn through_the_network(
        self: &Rc<Self>,
        from: ObjectIndex,
        output: Output,
    ) -> Option<Output> {
        let Some(simulation) = &self.simulation else {
            return Some(output);
        };
        let possible: &[FaultKind] = match &output {
            Output::Called { .. } | Output::Fetched { .. } | Output::Chunk { .. } => {
                &[FaultKind::Crash, FaultKind::LostReply, FaultKind::SlowReply]
            }
            Output::Delivery(_) => &[FaultKind::Crash, FaultKind::LostCall, FaultKind::SlowCall],
            Output::Frame { .. } | Output::Barrier(_) => &[FaultKind::Crash],
        };
        match self.point(possible) {
            Some(FaultKind::Crash) => None,
            Some(FaultKind::LostReply | FaultKind::LostCall) => {
                output.fail(Fault::Disconnected("the connection was lost".to_owned()));
                None
            }
            Some(FaultKind::SlowReply) => {
                self.later(simulation.up_to(2_000), |shard| shard.send(output));
                None
            }
            slow => {
                let Output::Delivery(delivery) = output else {
                    return Some(output);
                };
                let pause = slow.map(|_| simulation.up_to(2_000));
                let (pair, now) = ((from, delivery.id), Instant::now());
                let Some(at) = simulation.arrival(pair, now, pause) else {
                    return Some(Output::Delivery(delivery));
                };
                self.later(at - now, move |shard| shard.deliver(*delivery));
                None
            }
        }
    }

    /// Sends a request to the outside world. In the simulator, the request may be lost, delayed or
    /// repeated in transit, and its answer lost or delayed.
    pub(in super::super) async fn fetch_outside(
        self: &Rc<Self>,
        request: Request,
    ) -> Result<Response, Fault> {
        let outgoing = self.outgoing.clone();
        let Some(simulation) = &self.simulation else {
            return outgoing.fetch(request).await;
        };
        let lost = || Err(Fault::Disconnected("the connection was lost".to_owned()));
        let there = [
            FaultKind::Crash,
            FaultKind::LostCall,
            FaultKind::SlowCall,
            FaultKind::RepeatedRequest,
        ];
        let machine = simulation.machine();
        match self.inside(|| self.point(&there)) {
            Some(FaultKind::Crash | FaultKind::LostCall) => return lost(),
            Some(FaultKind::SlowCall) => tokio::time::sleep(simulation.up_to(2_000)).await,
            Some(_) => {
                let again = Request::received(request.inner.repeated());
                let (outgoing, pause) = (outgoing.clone(), simulation.up_to(2_000));
                tokio::task::spawn_local(async move {
                    tokio::time::sleep(pause).await;
                    // Its answer is discarded.
                    drop(outgoing.fetch(again).await);
                });
            }
            None => {}
        }
        let answer = outgoing.fetch(request).await;
        let back = [FaultKind::Crash, FaultKind::LostReply, FaultKind::SlowReply];
        match self.inside(|| self.point(&back)) {
            Some(FaultKind::SlowReply) => tokio::time::sleep(simulation.up_to(2_000)).await,
            Some(_) => return lost(),
            None => {}
        }
        if simulation.is_running(machine) {
            answer
        } else {
            lost()
        }
    }

    /// Runs a client's request to the app. It ends with the process: the client's connection is
    /// broken, and the rest of the handler does not run.
    pub(in super::super) async fn serve(
        self: &Rc<Self>,
        answer: impl Future<Output = Response>,
    ) -> Response {
        let Some(simulation) = &self.simulation else {
            return answer.await;
        };
        let broken = || Fault::Disconnected("the host went away".to_owned()).into_response();
        let machine = simulation.machine();
        let mut answer = pin!(answer);
        // A crash is possible before the first step, and at each await.
        let steps = poll_fn(|context| {
            self.inside(|| self.point(&[FaultKind::Crash]));
            if simulation.is_running(machine) {
                answer.as_mut().poll(context).map(Some)
            } else {
                Poll::Ready(None)
            }
        });
        let answer = tokio::select! {
            biased;
            () = simulation.ended(machine) => None,
            answer = steps => answer,
        };
        // The client may not receive the answer although the handler has run.
        let fault = self.inside(|| self.point(&[FaultKind::Crash, FaultKind::LostReply]));
        match answer {
            Some(answer) if fault.is_none() && simulation.is_running(machine) => answer,
            _ => broken(),
        }
    }

    /// A frame is in flight. The connection may be cut, and the frame is then lost.
    pub(in super::super) fn may_cut(&self, link: &Link) {
        if let Some(simulation) = &self.simulation
            && self.point(&[FaultKind::DroppedSocket]).is_some()
        {
            simulation.cut(link);
        }
    }

    /// Injects faults between events that do not depend on the host's work.
    fn surroundings(self: &Rc<Self>, simulation: &Simulation) {
        let possible = [
            FaultKind::Eviction,
            FaultKind::ClockStep,
            FaultKind::DroppedSocket,
            FaultKind::BadDeployment,
        ];
        match self.point(&possible) {
            Some(FaultKind::DroppedSocket) => simulation.cut_any(),
            Some(FaultKind::BadDeployment) => self.deploy_badly(simulation),
            Some(FaultKind::Eviction) => {
                let residents = self.kernel.borrow().residents();
                if !residents.is_empty() {
                    let object = residents[simulation.one_of(residents.len())];
                    self.handle(Event::EvictionRequested { object });
                }
            }
            Some(FaultKind::ClockStep) => {
                self.clock.set(self.clock.now() + simulation.clock_step());
                self.clock_was_set();
            }
            _ => {}
        }
    }

    /// Does something later, unless the host crashes meanwhile.
    pub(super) fn later(self: &Rc<Self>, pause: Duration, act: impl FnOnce(&Rc<Self>) + 'static) {
        let Some(simulation) = &self.simulation else {
            return;
        };
        let machine = simulation.machine();
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            tokio::time::sleep(pause).await;
            let is_running = |simulation: &Simulation| simulation.is_running(machine);
            if shard.simulation.as_ref().is_some_and(is_running) {
                act(&shard);
            }
        });
    }

    async fn start_ready_work(self: Rc<Self>) {
        let Some(simulation) = &self.simulation else {
            return;
        };
        loop {
            simulation.some_ready.notified().await;
            loop {
                yield_now().await;
                self.surroundings(simulation);
                let ready = simulation.pick_some();
                if ready.is_empty() {
                    self.check_rest();
                    break;
                }
                // Work that is picked together starts before the decisions of the first are carried
                // out.
                self.inside(|| {
                    for (object, work, bytes) in ready {
                        self.begins(&work);
                        self.start(object, work, bytes);
                    }
                });
            }
        }
    }

    /// Sets the timer again. It measures elapsed time and must follow the new date.
    pub(in super::super) fn clock_was_set(self: &Rc<Self>) {
        self.load_alarms_by_new_date();
        self.timer_changed.notify_one();
    }

    pub(in super::super) fn simulation(&self) -> Option<&Simulation> {
        self.simulation.as_ref()
    }

    pub(in super::super) fn is_resident(&self, id: RawId) -> bool {
        let object = self.kernel.borrow().find(id);
        object.is_some_and(|object| self.residents.get(object).is_some())
    }

    pub(in super::super) fn request_eviction(self: &Rc<Self>, id: RawId) {
        let object = self.kernel.borrow().find(id);
        if let Some(object) = object {
            self.handle(Event::EvictionRequested { object });
        }
    }

    /// Returns the alarms of databases and the index that are due.
    pub(in super::super) fn overdue_alarms(&self) -> Vec<String> {
        let now = self.clock.now();
        let due = self.disk.index().due(now.saturating_sub(1), None, 10);
        due.unwrap_or_default()
            .into_iter()
            // Alarms of a class that the app lacks wait for an app that has it.
            .filter(|due| self.class(&due.class).is_some())
            .map(|due| self.overdue(due.id, due.at))
            .collect()
    }

    fn overdue(&self, id: RawId, at: i64) -> String {
        let late = Duration::from_millis(self.clock.now().abs_diff(at));
        format!("that of {} is late by {late:?}", self.name(id))
    }

    /// Loses everything except the disk: memory, sockets, answers in flight, and uncommitted
    /// writes. What the old machine still reports is dropped, because its objects are gone. So are
    /// the answers of its disk.
    pub(in super::super) fn crash(self: &Rc<Self>) {
        self.lose_memory(&Fault::Disconnected("the host crashed".to_owned()));
        self.start_again();
    }

    /// Crashes, and also loses what the disk had not confirmed, as far as the seed decides.
    pub(in super::super) fn power_failure(self: &Rc<Self>) {
        if let Some(simulation) = &self.simulation {
            simulation.cut_all();
        }
        self.lose_memory(&Fault::Disconnected("the power failed".to_owned()));
        if let (Disk::Memory(memory), Some(simulation)) = (&self.disk, &self.simulation)
            && let Err(error) = memory.lose_power(|commits| simulation.kept(commits))
        {
            tracing::error!(%error, "the simulated disk cannot be restored");
        }
        self.start_again();
    }

    /// Ends the process, and starts one with only these classes.
    pub(in super::super) fn deploy(self: &Rc<Self>, classes: &[&'static Description]) {
        self.lose_memory(&Fault::Disconnected("the host was restarted".to_owned()));
        self.classes.borrow_mut().clear();
        for description in classes {
            self.add_class(&description.class);
        }
        if let Some(simulation) = &self.simulation {
            simulation.deployed();
            simulation.lacks.set(None);
        }
        self.start_again();
    }

    /// Starts a process that lacks a class, and later one that has it again.
    fn deploy_badly(self: &Rc<Self>, simulation: &Simulation) {
        let class = {
            let classes = self.classes.borrow();
            if classes.is_empty() || simulation.lacks.get().is_some() {
                return;
            }
            classes[simulation.one_of(classes.len())].class.name
        };
        simulation.lacks.set(Some(class));
        self.restart();
        let (shard, lasts) = (Rc::clone(self), simulation.up_to(BAD_DEPLOYMENT_MS));
        tokio::task::spawn_local(async move {
            tokio::time::sleep(lasts).await;
            shard.roll_back();
        });
    }

    /// Ends a bad deployment, if there is one.
    pub(in super::super) fn roll_back(self: &Rc<Self>) {
        let simulation = self.simulation.as_ref();
        if simulation.is_some_and(|simulation| simulation.lacks.take().is_some()) {
            self.restart();
        }
    }

    fn restart(self: &Rc<Self>) {
        self.lose_memory(&Fault::Disconnected("the host was restarted".to_owned()));
        self.start_again();
    }

    /// Whether the simulated deployment lacks a class that the test uses.
    pub(super) fn lacks(&self, class: &str) -> bool {
        let simulation = self.simulation.as_ref();
        simulation.is_some_and(|simulation| simulation.lacks.get() == Some(class))
    }

    /// Whether a test may use any class by naming it, which is possible until it deploys an app.
    pub(super) fn takes_any_class(&self) -> bool {
        let simulation = self.simulation.as_ref();
        simulation.is_some_and(|simulation| !simulation.is_deployed())
    }

    /// Returns why this version of a class accepts no work: its stub was made before another app
    /// was deployed.
    pub(super) fn missing(&self, class: &'static Class) -> Option<Fault> {
        if self.lacks(class.name) {
            return Some(not_in_the_app(class));
        }
        if !self.simulation.as_ref()?.is_deployed() {
            return None;
        }
        let classes = self.classes.borrow();
        let is_there = classes.iter().any(|known| std::ptr::eq(known.class, class));
        (!is_there).then(|| not_in_the_app(class))
    }

    fn start_again(self: &Rc<Self>) {
        self.told_of.take();
        if let Disk::Memory(memory) = &self.disk
            && let Err(error) = memory.restart()
        {
            tracing::error!(%error, "the simulated index of alarms cannot be opened");
        }
        self.load_alarms_now();
    }

    /// Drops everything that this shard holds and that in turn holds the shard.
    pub(in super::super) fn lose_memory(self: &Rc<Self>, fault: &Fault) {
        let slots = std::mem::take(&mut *self.slots.borrow_mut());
        for slot in slots.into_iter().flatten() {
            slot.gone.set(true);
            for socket in std::mem::take(&mut *slot.sockets.borrow_mut()) {
                socket.cut_off();
            }
        }
        for resident in self.residents.take_all() {
            resident.life.cut_off(fault.clone());
            drop(resident.life.take_database());
        }
        let lost = self.kernel.replace(new_kernel(self.limits()));
        drop(lost);
        // A `Drop` of user code may have woken an object again.
        drop(self.residents.take_all());
        drop(std::mem::take(&mut *self.queue.borrow_mut()));
        if let Disk::Memory(memory) = &self.disk {
            memory.crash();
        }
        for work in self.simulation.iter().flat_map(Simulation::crash) {
            if let Work::Task(task) = work {
                task.refuse(fault.clone());
            }
        }
    }
}
