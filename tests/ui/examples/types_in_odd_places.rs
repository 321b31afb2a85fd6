//! Types that are made of constants, macros and associated types, and names that hide those of the standard library.
#![deny(warnings)]

use anchorhold::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Default)]
struct Grid<const SIZE: usize> {
    cells: [u8; 4],
}

const SIZE: usize = 4;

macro_rules! count {
    () => {
        i64
    };
}

macro_rules! fallible {
    ($value:ty) => {
        Result<$value, Error>
    };
}

trait Kind {
    type Item;
}

#[durable_object]
struct Counter {
    grid: Grid<{ SIZE * 2 }>,
    other: Grid<SIZE>,
    item: <Counter as Kind>::Item,
    value: count!(),
}

impl Kind for Counter {
    type Item = u8;
}

#[durable_object]
impl Counter {
    const LENGTH: usize = 3;

    #[rpc]
    fn grid(&mut self, grid: Grid<{ SIZE * 2 }>) -> Grid<SIZE> {
        self.grid = grid;
        std::mem::take(&mut self.other)
    }

    #[rpc]
    #[get("/list")]
    fn list(&self, by: count!()) -> [<Self as Kind>::Item; Self::LENGTH] {
        let _ = (by, self.value);
        [self.item; Self::LENGTH]
    }

    #[post("/add")]
    fn add(&mut self, by: Option<count!()>) -> fallible!(count!()) {
        self.value += by.unwrap_or(1);
        Ok(self.value)
    }

    #[alarm]
    fn tick(&mut self, by: count!()) -> fallible!(()) {
        self.value += by;
        Ok(())
    }
}

mod hidden {
    use anchorhold::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Clone, Default)]
    pub struct Option<T>(T);

    #[derive(Serialize, Deserialize, Clone, Default)]
    pub struct Vec<T>(T);

    #[derive(Serialize, Deserialize, Clone, Default)]
    pub struct String(u8);

    #[durable_object]
    pub struct Hidden {
        text: String,
        list: Vec<u8>,
    }

    #[durable_object]
    impl Hidden {
        #[rpc]
        #[get("/{text}")]
        fn text(&self, text: u8, other: Option<i64>) -> Option<i64> {
            let _ = (text, &self.text);
            other
        }

        #[post("/list")]
        fn list(&mut self, list: Vec<u8>) -> String {
            self.list = list;
            String(self.list.0)
        }
    }
}

// Lists of parameters without any.
macro_rules! object {
    ($name:ident<$($parameter:ident),*>) => {
        #[durable_object]
        struct $name<$($parameter),*> {
            value: i64,
        }

        #[durable_object]
        impl<$($parameter),*> $name<$($parameter),*> {
            #[rpc]
            fn value(&self) -> i64 {
                self.value
            }
        }
    };
}

object! { Plain<> }

#[anchorhold::app]
fn app() -> App {
    App::new()
        .mount::<Counter>("/counters/{name}")
        .mount::<hidden::Hidden>("/hidden/{name}")
        .object::<Plain>()
}

fn main() {
    let _ = app();
}
