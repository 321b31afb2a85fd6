//! The user's names are not linted again in generated code.
#![deny(warnings)]

use anchorhold::prelude::*;

#[durable_object]
struct Counter {
    value: u64,
}

#[durable_object]
impl Counter {
    #[rpc]
    #[allow(non_snake_case)]
    fn getValue(&mut self, userId: u64) -> u64 {
        self.value += 1;
        userId
    }

    #[rpc]
    #[expect(non_snake_case, reason = "as JavaScript has it")]
    fn setValue(&mut self, newValue: u64) {
        self.value = newValue;
    }
}

#[deprecated = "use `Counter`"]
#[durable_object]
pub struct Old {
    value: i64,
}

#[allow(deprecated)]
mod handlers {
    use anchorhold::prelude::*;

    #[durable_object]
    impl super::Old {
        #[rpc]
        #[deprecated]
        fn value(&self) -> i64 {
            self.value
        }
    }
}

#[durable_object]
struct Aged {
    #[deprecated = "use `value`"]
    old: i64,
    value: i64,
}

#[durable_object]
impl Aged {
    #[rpc]
    #[allow(
        clippy::needless_arbitrary_self_type,
        reason = "written out on purpose"
    )]
    fn value(self: &Self) -> i64 {
        self.value
    }
}

#[deprecated]
#[derive(serde::Serialize, serde::Deserialize, Default)]
struct Relic {}

#[durable_object]
#[allow(deprecated)]
struct Museum {
    relic: Relic,
}

#[durable_object]
impl Museum {
    #[rpc]
    fn close(&mut self) {
        let _ = &self.relic;
    }
}

fn main() {
    let _ = |env: Env| {
        let counter = env.objects::<Counter>().named("a");
        drop(counter.getValue(1));
        drop(counter.setValue(1));
    };
}
