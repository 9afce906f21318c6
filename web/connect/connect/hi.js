/** The texts of connect.js in Hindi. */
export default {};
