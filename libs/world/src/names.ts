/**
 * The word lists of the valley. All of it is invented for Stagecraft; a seed decides which value
 * goes to which entity, so that nothing can be answered without having read the corpus.
 */

export interface PersonName {
  readonly name: string;
  readonly pronoun: "she" | "he";
}

export const PEOPLE: readonly PersonName[] = [
  { name: "Anna", pronoun: "she" },
  { name: "Ben", pronoun: "he" },
  { name: "Clara", pronoun: "she" },
  { name: "David", pronoun: "he" },
  { name: "Ella", pronoun: "she" },
  { name: "Finn", pronoun: "he" },
  { name: "Greta", pronoun: "she" },
  { name: "Hugo", pronoun: "he" },
  { name: "Ida", pronoun: "she" },
  { name: "Jonas", pronoun: "he" },
];

export const JOBS = [
  "baker",
  "teacher",
  "doctor",
  "farmer",
  "painter",
  "gardener",
  "tailor",
  "sailor",
  "carpenter",
  "pilot",
];

export const FOODS = [
  "bread",
  "soup",
  "pancakes",
  "plums",
  "cheese",
  "rice",
  "apples",
  "noodles",
  "carrots",
  "pie",
];

export const HOBBIES = [
  "swim",
  "dance",
  "sing",
  "read",
  "fish",
  "paint",
  "climb",
  "knit",
  "cook",
  "run",
];

/** The first animal is always the cat and the first seat the mat: some things must be so. */
export const ANIMALS = [
  "cat",
  "dog",
  "fox",
  "owl",
  "frog",
  "horse",
  "mouse",
  "duck",
  "bear",
  "goat",
];

export const SEATS = [
  "mat",
  "log",
  "wall",
  "chair",
  "roof",
  "stone",
  "bench",
  "rug",
  "hill",
  "fence",
];

export const FEEDS = [
  "fish",
  "grass",
  "seeds",
  "berries",
  "nuts",
  "corn",
  "leaves",
  "honey",
  "moss",
  "beans",
];

export const BEDS = [
  "barn",
  "basket",
  "cave",
  "nest",
  "shed",
  "garden",
  "cellar",
  "tower",
  "stable",
  "reeds",
];

export const COLOURS = [
  "red",
  "blue",
  "green",
  "white",
  "black",
  "brown",
  "grey",
  "yellow",
  "pink",
  "golden",
];

export const PLACES = ["Merrow", "Tansy", "Brindle", "Larkfield", "Fennick", "Hollin"];

export const FEATURES = ["bridge", "market", "lighthouse", "mill", "orchard", "library"];

export const WATERS = ["river", "lake", "sea", "forest", "marsh", "canyon"];

export const THINGS = [
  "lamp",
  "bell",
  "drum",
  "cup",
  "kite",
  "coat",
  "boat",
  "clock",
  "ladder",
  "key",
];

export const MATERIALS = [
  "wood",
  "glass",
  "iron",
  "clay",
  "wool",
  "paper",
  "silver",
  "leather",
  "brass",
  "straw",
];
