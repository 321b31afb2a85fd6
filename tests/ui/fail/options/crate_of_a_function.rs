#![allow(unused)]

use anchorhold::prelude::*;

fn declares() {
    mod framework {
        pub use anchorhold;
    }

    #[durable_object]
    struct Counter {
        value: i64,
    }

    #[durable_object(crate = framework::anchorhold)]
    impl Counter {}
}

fn main() {}
