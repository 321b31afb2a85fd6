#![allow(unused)]

use anchorhold::prelude::*;

mod objects {
    use anchorhold::prelude::*;

    pub mod inner {
        use anchorhold::prelude::*;

        #[durable_object]
        pub struct Counter {
            value: i64,
        }

        #[durable_object]
        impl Counter {
            #[rpc]
            pub(super) fn only_here(&mut self) {}
        }
    }
}

fn caller(env: Env) {
    drop(env.objects::<objects::inner::Counter>().named("a").only_here());
}

fn main() {}
