/** The element; compiled only. */

import '../connect/element.js';

const button = document.querySelector('portfolio-connect-button');
if (button) {
  button.getUserToken = () => 'jwt';
  button.config = { enableInboundEmail: true };
  button.addEventListener('portfolio-saved', ({ detail }) => console.log(detail.portfolio.id));
  button.addEventListener('portfolio-error', ({ detail }) => console.log(detail.error.remediation));
}
