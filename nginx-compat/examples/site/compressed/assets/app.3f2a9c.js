const list = document.getElementById("app");

const show = (order) => {
  const line = document.createElement("p");
  line.textContent = `${order.number}: ${order.items} items for ${order.customer}`;
  list.prepend(line);
};

fetch("/api/orders").then((answer) => answer.json()).then((orders) => orders.forEach(show));
new EventSource("/api/events").addEventListener("message", (event) => show(JSON.parse(event.data)));
