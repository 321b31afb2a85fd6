//! A method of the stub has the visibility that the user gives it.
#![deny(warnings)]

pub mod objects {
    use anchorhold::prelude::*;

    #[durable_object]
    pub struct Counter {
        value: i64,
    }

    #[durable_object]
    impl Counter {
        #[rpc]
        pub(crate) fn within(&mut self) {}

        #[rpc]
        pub fn everywhere(&mut self) {}

        #[rpc]
        fn as_visible_as_the_stub(&mut self) -> i64 {
            self.value
        }
    }
}

pub fn caller(env: &anchorhold::Env) {
    let counter = env.objects::<objects::Counter>().named("a");
    drop(counter.within());
    drop(counter.everywhere());
    drop(counter.as_visible_as_the_stub());
}

fn main() {}
