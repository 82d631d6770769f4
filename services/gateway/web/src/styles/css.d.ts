// Style sheets are for Vite; the compiler need only know that they may be imported.
declare module "*.css";
declare module "virtual:theme.css";
