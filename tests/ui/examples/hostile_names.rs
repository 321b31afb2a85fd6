//! The user's own types and functions may have any name.
#![deny(warnings)]
#![allow(dead_code, non_camel_case_types)]

use anchorhold::durable_object;
use serde::{Deserialize, Serialize};

macro_rules! hostile {
    ($($name:ident)*) => {$(
        #[derive(Serialize, Deserialize, Default)]
        pub struct $name;
    )*};
}

hostile! {
    Result Option Ctx State Box Vec String Some None Ok Err Self_ Any Future Default Clone Debug Send Sized
    Call Outcome Handler Route Stub Field Parameter Returned Failed Arguments StubCore DurableObject Error
    str u8 bool i64 usize std anchorhold_macros
}

pub fn drop() {}
pub fn reply() {}
pub fn call() {}
pub fn object() {}
pub mod __private {
    #[derive(serde::Serialize, serde::Deserialize)]
    pub struct Request;

    pub fn start() -> i64 {
        5
    }
}

#[durable_object]
pub struct Counter {
    value: Result,
    option: Option,
    #[stored(default = __private::start())]
    start: ::core::primitive::i64,
    #[memory]
    state: State,
}

#[durable_object]
impl Counter {
    #[rpc]
    fn pass(&self, request: __private::Request) -> __private::Request {
        let _ = self.start;
        request
    }

    #[rpc]
    #[post("/swap")]
    fn swap(&mut self, result: Result, option: Option, ctx_of_the_user: Ctx) -> Result {
        let _ = ctx_of_the_user;
        self.option = option;
        ::core::mem::replace(&mut self.value, result)
    }

    #[rpc]
    async fn state(
        &self,
        object: State,
        arguments: Vec,
        call: String,
        ctx: &anchorhold::Ctx,
    ) -> Box {
        let _ = (object, arguments, call, ctx);
        Box
    }

    #[rpc]
    fn fallible(&self) -> ::core::result::Result<Option, anchorhold::Error> {
        ::core::result::Result::Ok(Option)
    }

    #[alarm]
    fn remind(&mut self, payload: Call) {
        let _ = payload;
    }

    #[rpc]
    fn r#type(&self, r#match: u16) -> u16 {
        r#match
    }
}

#[durable_object]
pub struct State2 {
    r#type: Handler,
}

#[durable_object]
impl self::State2 {
    #[rpc]
    fn itself(&self, r#type: Handler) -> ::std::vec::Vec<Handler> {
        ::std::vec![r#type]
    }
}

pub fn caller(env: &anchorhold::Env) {
    let counter = env.objects::<Counter>().named("a");
    ::core::mem::drop(counter.swap(Result, Option, Ctx));
    ::core::mem::drop(counter.r#type(5));
}

fn main() {}
