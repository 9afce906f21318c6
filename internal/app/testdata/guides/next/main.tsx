import { createRoot } from "react-dom/client";
import { ImportStatement } from "./app/import-statement";

const button = document.querySelector("button");
if (button) { // the server has rendered it
  const root = document.createElement("div");
  button.nextElementSibling!.remove();
  button.replaceWith(root);
  createRoot(root).render(<ImportStatement />);
}
