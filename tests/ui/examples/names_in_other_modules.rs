//! The struct and its methods in two files. Also `Self` in signatures, and a private type in a
//! public object.
#![deny(warnings)]

mod list {
    use anchorhold::prelude::*;
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize, Default, Clone)]
    pub(crate) struct Item {
        pub(crate) name: String,
    }

    #[durable_object]
    #[derive(Default)]
    pub struct List {
        items: Vec<Item>,
    }

    pub(crate) trait Described {
        type Description;
    }

    impl Described for List {
        type Description = Item;
    }

    mod methods {
        use super::{Described, Item};
        use anchorhold::prelude::*;

        #[durable_object]
        impl super::List {
            #[rpc]
            pub(crate) fn add(&mut self, item: Item) -> Vec<Item> {
                self.items.push(item);
                self.items.clone()
            }

            #[rpc]
            fn last(&self) -> Option<<Self as Described>::Description> {
                self.items.last().cloned()
            }
        }
    }
}

pub async fn caller(env: anchorhold::Env) -> Result<Option<String>, anchorhold::CallError> {
    let list = env.objects::<list::List>().named("a");
    list.add(list::Item {
        name: String::from("milk"),
    })
    .await?;
    Ok(list.last().await?.map(|item| item.name))
}

fn main() {
    let _ = list::List::default();
}
