#![allow(unused)]

use anchorhold::prelude::*;

mod object {
    use anchorhold::prelude::*;

    #[durable_object]
    pub struct Counter {
        pub value: i64,
    }
}

mod handlers {
    use super::object::Counter;
    use anchorhold::prelude::*;

    #[durable_object]
    impl Counter {
        #[rpc]
        fn value(&self) -> i64 {
            self.value
        }
    }
}

fn main() {}
